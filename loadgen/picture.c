/* Albers' equal-area conic projection with the parallels that US maps use. */
#include "picture.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "pump.h"

enum { TABLE_ROWS = 12, WIDTH = 1000, HEIGHT = 640 };

#define RADIANS (3.14159265358979323846 / 180.0)

enum err picture_init(struct picture *picture, const struct network *network, uint64_t until_ns)
{
    *picture = (struct picture){.network = network, .until_ns = until_ns};
    rng_init(&picture->rng, 1);
    picture->by_node = calloc(network->count, sizeof *picture->by_node);
    return picture->by_node == NULL ? ERR_NOMEM : ERR_OK;
}

void picture_close(struct picture *picture)
{
    free(picture->by_node);
    *picture = (struct picture){0};
}

/* Reservoir sampling: line number n stays with a chance of PICTURE_LINES_MAX / n. */
static void sample_line(struct picture *picture, const struct order *order, uint32_t node)
{
    uint64_t place = picture->lines_count;
    if (picture->lines_count < PICTURE_LINES_MAX) {
        picture->lines_count++;
    } else {
        place = rng_below(&picture->rng, picture->fulfilments);
    }
    if (place < PICTURE_LINES_MAX) {
        picture->lines[place] =
            (struct picture_line){.lat = (float)order->lat, .lon = (float)order->lon, .node = node};
    }
}

void picture_add(struct picture *picture, const struct order *order, const uint32_t *words,
                 double km)
{
    if (pump_clock_ns() > picture->until_ns) {
        return;
    }
    uint32_t count = facts_fulfilments(words);
    uint32_t pos = 0;
    picture->orders++;
    picture->split += count > 1;
    picture->km += km;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = facts_next(words, &pos).node;
        CHECK(node < picture->network->count);
        picture->by_node[node]++;
        picture->fulfilments++;
        picture->from_warehouse += picture->network->sites[node].is_warehouse;
        sample_line(picture, order, node);
    }
}

/* The node with the most fulfilments that is not marked; count if none has any. */
static uint32_t busiest(const struct picture *picture, const bool *is_marked)
{
    uint32_t best = picture->network->count;
    for (uint32_t i = 0; i < picture->network->count; i++) {
        bool is_more =
            best == picture->network->count || picture->by_node[i] > picture->by_node[best];
        if (!is_marked[i] && picture->by_node[i] > 0 && is_more) {
            best = i;
        }
    }
    return best;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

void picture_print(const struct picture *picture, FILE *file)
{
    const struct network *network = picture->network;
    bool *is_marked = calloc(network->count, sizeof *is_marked);
    uint64_t stores = picture->fulfilments - picture->from_warehouse;
    fprintf(file, "\nwhat came from where (first minute)\n");
    fprintf(file, "  orders %llu, from one node %.1f %%, km per order %.1f\n",
            (unsigned long long)picture->orders, 100 - percent(picture->split, picture->orders),
            picture->orders > 0 ? picture->km / (double)picture->orders : 0.0);
    fprintf(file, "  %-34s %10s %7s\n", "source", "parcels", "share");
    fprintf(file, "  %-34s %10llu %6.1f%%\n", "all stores", (unsigned long long)stores,
            percent(stores, picture->fulfilments));
    fprintf(file, "  %-34s %10llu %6.1f%%\n", "all warehouses",
            (unsigned long long)picture->from_warehouse,
            percent(picture->from_warehouse, picture->fulfilments));
    for (int row = 0; row < TABLE_ROWS && is_marked != NULL; row++) {
        uint32_t node = busiest(picture, is_marked);
        if (node == network->count) {
            break;
        }
        is_marked[node] = true;
        fprintf(file, "  %-8.*s%-26s %10llu %6.1f%%\n", network->ids.names[node].size,
                network->ids.names[node].at, network->sites[node].name,
                (unsigned long long)picture->by_node[node],
                percent(picture->by_node[node], picture->fulfilments));
    }
    free(is_marked);
}

struct spot {
    double x, y;
};

static struct spot project(double lat, double lon)
{
    const double n = (sin(29.5 * RADIANS) + sin(45.5 * RADIANS)) / 2;
    const double c = pow(cos(29.5 * RADIANS), 2) + 2 * n * sin(29.5 * RADIANS);
    const double zero = sqrt(c - 2 * n * sin(38.0 * RADIANS)) / n;
    double rho = sqrt(c - 2 * n * sin(lat * RADIANS)) / n;
    double theta = n * (lon + 96.0) * RADIANS;
    return (struct spot){.x = WIDTH / 2.0 + rho * sin(theta) * 1270,
                         .y = HEIGHT / 2.0 - (zero - rho * cos(theta)) * 1270};
}

static bool is_on_map(double lat, double lon)
{
    return lat > 24 && lat < 50 && lon > -126 && lon < -66;
}

static void draw_lines(const struct picture *picture, FILE *file)
{
    fputs("<g stroke=\"#3b6ea5\" stroke-opacity=\"0.22\" stroke-width=\"0.7\">\n", file);
    for (uint32_t i = 0; i < picture->lines_count; i++) {
        const struct picture_line *line = &picture->lines[i];
        const struct site *site = &picture->network->sites[line->node];
        if (is_on_map(site->lat, site->lon) && is_on_map((double)line->lat, (double)line->lon)) {
            struct spot from = project(site->lat, site->lon);
            struct spot to = project((double)line->lat, (double)line->lon);
            fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", from.x,
                    from.y, to.x, to.y);
        }
    }
    fputs("</g>\n", file);
}

/* Dots with an area in step with the parcels; the largest has a radius of 16. */
static void draw_nodes(const struct picture *picture, FILE *file)
{
    uint64_t most = 1;
    for (uint32_t i = 0; i < picture->network->count; i++) {
        most = picture->by_node[i] > most ? picture->by_node[i] : most;
    }
    for (uint32_t i = picture->network->count; i-- > 0;) {
        const struct site *site = &picture->network->sites[i];
        if (!is_on_map(site->lat, site->lon)) {
            continue;
        }
        struct spot at = project(site->lat, site->lon);
        double radius = 0.6 + 15.4 * sqrt((double)picture->by_node[i] / (double)most);
        fprintf(file,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" fill-opacity=\"%s\">"
                "<title>%.*s: %llu</title></circle>\n",
                at.x, at.y, radius, site->is_warehouse ? "#c0392b" : "#2c3e50",
                picture->by_node[i] > 0 ? "0.65" : "0.25", picture->network->ids.names[i].size,
                picture->network->ids.names[i].at, (unsigned long long)picture->by_node[i]);
    }
}

enum err picture_write_svg(const struct picture *picture, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return ERR_IO;
    }
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"14\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fbfbf8\"/>\n",
            WIDTH, HEIGHT);
    draw_lines(picture, file);
    draw_nodes(picture, file);
    fprintf(file,
            "<text x=\"20\" y=\"28\">Nearshelf, first minute: %llu orders, %llu parcels; "
            "dots by parcels, red = warehouse; lines = a sample of %u</text>\n</svg>\n",
            (unsigned long long)picture->orders, (unsigned long long)picture->fulfilments,
            picture->lines_count);
    bool is_written = ferror(file) == 0;
    return fclose(file) == 0 && is_written ? ERR_OK : ERR_IO;
}
