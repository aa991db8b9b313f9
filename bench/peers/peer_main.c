/* bench-peer: the same orders to any of the engines under comparison; one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer_check.h"
#include "peer_dump.h"
#include "peer_run.h"
#include "zip3.h"

struct flags {
    const char *protocol, *job, *dump, *data;
    double port, connections, depth, batch, rate, duration, warmup, orders, first;
    double nodes, items, lines, drawn, density, seed, tag, check, slack;
};

static int usage(void)
{
    fputs(
        "usage: bench-peer --protocol rpc|redis|tarantool|postgres --port N [flags]\n"
        "       bench-peer --protocol NAME --dump FOLDER [flags]     files for that peer's loader\n"
        "world: --data DIR --nodes N --items N --lines N --drawn N --density X\n"
        "       --seed N\n"
        "run:   --job route|reserve|get|find --connections N --depth N --batch N --rate N\n"
        "       --duration S --warmup S --orders N --first N --tag N\n"
        "       --check N   the first N orders in sequence, held against an oracle; --slack M\n",
        stderr);
    return 2;
}

static bool flags_read(struct flags *flags, int argc, char **argv)
{
    *flags = (struct flags){.protocol = "rpc", .job = "route", .connections = 8, .depth = 512,
                            .batch = 1, .duration = 3, .warmup = 1, .items = 2000, .lines = 2,
                            .density = 1, .seed = 1, .tag = 1};
    const struct {
        const char *name;
        const char **text;
        double *number;
    } rows[] = {
        {"--protocol", &flags->protocol, NULL}, {"--job", &flags->job, NULL},
        {"--dump", &flags->dump, NULL},         {"--data", &flags->data, NULL},
        {"--port", NULL, &flags->port},         {"--connections", NULL, &flags->connections},
        {"--depth", NULL, &flags->depth},       {"--batch", NULL, &flags->batch},
        {"--rate", NULL, &flags->rate},         {"--duration", NULL, &flags->duration},
        {"--warmup", NULL, &flags->warmup},     {"--orders", NULL, &flags->orders},
        {"--first", NULL, &flags->first},       {"--nodes", NULL, &flags->nodes},
        {"--items", NULL, &flags->items},       {"--drawn", NULL, &flags->drawn},
        {"--lines", NULL, &flags->lines},
        {"--density", NULL, &flags->density},   {"--seed", NULL, &flags->seed},
        {"--tag", NULL, &flags->tag},           {"--check", NULL, &flags->check},
        {"--slack", NULL, &flags->slack}};
    for (int i = 1; i + 1 < argc; i += 2) {
        bool is_found = false;
        for (uint32_t k = 0; k < sizeof rows / sizeof *rows && !is_found; k++) {
            is_found = strcmp(argv[i], rows[k].name) == 0;
            if (is_found && rows[k].text) {
                *rows[k].text = argv[i + 1];
            } else if (is_found) {
                *rows[k].number = strtod(argv[i + 1], NULL);
            }
        }
        if (!is_found) {
            return false;
        }
    }
    bool is_two = flags->lines == 2 || strcmp(flags->protocol, "rpc") == 0;
    return argc % 2 == 1 && is_two && flags->lines >= 1 && flags->lines <= PEER_LINES_MAX &&
           flags->items >= flags->lines && flags->connections >= 1 && flags->batch >= 1 &&
           flags->depth >= flags->batch && flags->connections * flags->depth < PEER_SLOTS_MAX;
}

static const struct peer_proto *proto_of(const char *name)
{
    static const struct peer_proto *const all[] = {&peer_rpc, &peer_resp, &peer_iproto,
                                                   &peer_pgwire};
    for (uint32_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    return NULL;
}

static int job_of(const char *name)
{
    static const char *const names[] = {"route", "reserve", "get", "find"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static void world_flags(struct peer_world *world, const struct flags *flags)
{
    world->opts = (struct load_opts){.workload = WORKLOAD_TWO_LINE,
                                     .data_dir = flags->data,
                                     .nodes = (uint32_t)flags->nodes,
                                     .items = (uint32_t)flags->items,
                                     .density = flags->density,
                                     .seed = (uint64_t)flags->seed};
    if (!flags->data && world->opts.nodes == 0) {
        world->opts.nodes = 1000;
    }
    world->lines = (uint32_t)flags->lines;
    world->drawn = (uint32_t)flags->drawn;
    world->tag = (uint32_t)flags->tag & 0xfffffff;
}

static void report(const struct peer_run *run, const struct peer_check *check)
{
    static const double percents[] = {50, 90, 99, 99.9, 99.99};
    static const char *const names[] = {"p50", "p90", "p99", "p99.9", "p99.99"};
    double answered = (double)(run->taken + run->known + run->refused + run->reads);
    double seconds = run->seconds > 0 ? run->seconds : 1;
    printf("{\"protocol\":\"%s\",\"fault\":\"%s\",\"seconds\":%.4f,\"taken\":%llu,\"known\":%llu,"
           "\"refused\":%llu,\"failed\":%llu,\"reads\":%llu,\"parts\":%llu,\"offered_per_s\":%.1f,"
           "\"sent_per_s\":%.1f,\"answered_per_s\":%.1f,\"taken_per_s\":%.1f,\"client_cpu\":%.4f,"
           "\"next\":%llu,\"right\":%llu,\"near\":%llu,\"wrong\":%llu,\"latency_ms\":{",
           run->proto->name, run->fault, run->seconds, (unsigned long long)run->taken,
           (unsigned long long)run->known, (unsigned long long)run->refused,
           (unsigned long long)run->failed, (unsigned long long)run->reads,
           (unsigned long long)run->parts,
           (double)run->offered / seconds, (double)run->sent / seconds, answered / seconds,
           (double)run->taken / seconds, run->cpu_s / seconds,
           (unsigned long long)run->next_number, (unsigned long long)check->right,
           (unsigned long long)check->near, (unsigned long long)check->wrong);
    for (int i = 0; i < 5; i++) {
        printf("\"%s\":%.4f,", names[i],
               (double)hist_percentile(&run->latency, percents[i]) / 1e6);
    }
    printf("\"max\":%.4f}}\n", (double)run->latency.max / 1e6);
}

static int go(struct peer_world *world, const struct flags *flags)
{
    static struct peer_run run;
    static struct peer_check check;
    int job = job_of(flags->job);
    run = (struct peer_run){.world = world, .proto = proto_of(flags->protocol),
                            .job = (enum peer_job)job, .port = (uint16_t)flags->port,
                            .connections = (uint32_t)flags->connections,
                            .depth = (uint32_t)flags->depth, .batch = (uint32_t)flags->batch,
                            .rate = flags->rate, .duration_s = flags->duration,
                            .warmup_s = flags->warmup, .orders_max = (uint64_t)flags->orders,
                            .first = (uint64_t)flags->first};
    if (run.job == PEER_RESERVE) {
        peer_world_deepest(world);
    }
    if (flags->check > 0) {
        peer_world_near(world);
        run.orders_max = (uint64_t)flags->check;
        run.connections = 1;
        run.duration_s = 120;
        run.warmup_s = 0;
        run.repeat_every = 10;
        run.on_answer = peer_check_answer;
        run.owner = &check;
        peer_check_init(&check, world, run.first, run.orders_max);
        check.slack_m = (uint32_t)flags->slack;
    }
    bool is_well = peer_run_go(&run);
    report(&run, &check);
    peer_run_close(&run);
    peer_check_close(&check);
    if (!is_well) {
        fprintf(stderr, "bench-peer: %s\n", run.fault);
    }
    return is_well && check.wrong == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct peer_world world;
    struct flags flags;
    if (!flags_read(&flags, argc, argv) || !proto_of(flags.protocol) || job_of(flags.job) < 0) {
        return usage();
    }
    world_flags(&world, &flags);
    if (peer_world_init(&world) != ERR_OK) {
        return 1;
    }
    int code = 0;
    if (flags.dump) {
        peer_world_near(&world);
        code = peer_dump(&world, flags.dump, flags.protocol) ? 0 : 1;
        printf("{\"nodes\":%u,\"areas\":%u}\n", world.network.count, zip3_count);
    } else {
        code = go(&world, &flags);
    }
    peer_world_close(&world);
    return code;
}
