/* Places on the sphere: great-circle distance as the wire contract defines it.
 *
 * Sphere of radius 6371.0088 km (mean Earth radius R1, IUGG). Distances are compared and
 * added as whole metres. With unit vectors u, v the squared chord |u-v|^2 equals four times
 * the haversine of the angle between them, so
 *     d = 2 R asin(sqrt(hav)) = 2 R asin(|u-v| / 2),
 * which needs no trigonometry of the places once their vectors are known. The files of this
 * folder are compiled with -ffp-contract=off: the result is the same with and without FMA. */
#ifndef BASE_GEO_H
#define BASE_GEO_H

#include <stdint.h>

#define GEO_RADIUS_M 6371008.8

/* Largest possible distance, half the circumference, rounded up: a bound for sums. */
#define GEO_METRES_MAX 20015115u

struct geo_point {
    double x, y, z; /* unit vector: x to (0,0), y to (0,90E), z to the north pole */
};

/* Unit vector of a latitude in [-90, 90] and a longitude in [-180, 180], degrees. */
struct geo_point geo_point(double lat, double lon);

/* Great-circle distance in whole metres, rounded half away from zero. */
uint32_t geo_metres(const struct geo_point *a, const struct geo_point *b);

/* Key along a Hilbert curve of order 16 over (lon, lat): near keys are near places. */
uint32_t geo_hilbert(double lat, double lon);

#endif
