/* Great-circle distances and the Hilbert key. */
#include "geo.h"

#include <math.h>

struct geo_point geo_point(double lat, double lon)
{
    const double radians = M_PI / 180.0;
    double phi = lat * radians;
    double lambda = lon * radians;
    double c = cos(phi);
    return (struct geo_point){c * cos(lambda), c * sin(lambda), sin(phi)};
}

uint32_t geo_metres(const struct geo_point *a, const struct geo_point *b)
{
    double dx = a->x - b->x;
    double dy = a->y - b->y;
    double dz = a->z - b->z;
    double half_chord = 0.5 * sqrt(dx * dx + dy * dy + dz * dz);
    if (half_chord > 1.0) {
        half_chord = 1.0;
    }
    return (uint32_t)(2.0 * GEO_RADIUS_M * asin(half_chord) + 0.5);
}

uint32_t geo_hilbert(double lat, double lon)
{
    uint32_t x = (uint32_t)((lon + 180.0) / 360.0 * 65535.0);
    uint32_t y = (uint32_t)((lat + 90.0) / 180.0 * 65535.0);
    uint32_t key = 0;
    for (uint32_t s = 32768; s > 0; s /= 2) {
        uint32_t rx = (x & s) > 0;
        uint32_t ry = (y & s) > 0;
        key += s * s * ((3 * rx) ^ ry);
        if (ry == 0) {
            if (rx == 1) {
                x = 65535 - x;
                y = 65535 - y;
            }
            uint32_t t = x;
            x = y;
            y = t;
        }
    }
    return key;
}
