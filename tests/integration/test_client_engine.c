/* The client library and the program against the real engine, which is also killed under them. */
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "nearshelf.h"
#include "program_run.h"

enum { ARGS_MAX = 16, ORDERS = 300, STOCK = 200 };

static const char *engine_program, *cli_program;

struct rig {
    char dir[64];
    struct engine engine;
};

static void rig_open(struct rig *rig)
{
    snprintf(rig->dir, sizeof(rig->dir), "client_engine.XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    assert_true(engine_start(&rig->engine, engine_program, rig->dir, "127.0.0.1:0"));
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *place)
{
    (void)status;
    (void)flag;
    (void)place;
    return remove(path);
}

static void rig_close(struct rig *rig)
{
    assert_int_equal(engine_stop(&rig->engine, SIGTERM), 0);
    assert_int_equal(nftw(rig->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        cli_program, __VA_ARGS__, NULL                                                             \
    }

/* Run the program; it must succeed. The caller frees. */
static struct ran *cli(const struct rig *rig, const char *input, const char *const *words)
{
    struct ran *ran = program_run(words, rig->engine.address, input);
    if (ran->code != 0) {
        print_error("%s%s", ran->out, ran->err);
    }
    assert_int_equal(ran->code, 0);
    return ran;
}

static void load_world(const struct rig *rig)
{
    char stock[256];
    free(cli(rig, "node,type,lat,lon,country\nS1,store,40,-74,US\nS2,store,41,-74,US\n",
             WORDS("import", "nodes", "-")));
    free(cli(rig, "item\nA\nB\n", WORDS("import", "items", "-")));
    snprintf(stock, sizeof(stock), "node,item,on_hand\nS1,A,%d\nS2,A,%d\nS2,B,5\n", STOCK, STOCK);
    free(cli(rig, stock, WORDS("import", "stock", "-")));
}

/* A network and its stock are imported, an order is routed, told, and found again. */
static void import_route_and_look(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    load_world(&rig);
    struct ran *ran = cli(&rig, "",
                          WORDS("route", "--order", "O1", "--to", "40,-74", "--line", "A=2",
                                "--line", "B", "--explain"));
    assert_non_null(strstr(ran->out, "order O1: routed, 1 fulfilment, 0 splits, 111.195 km"));
    assert_non_null(strstr(ran->out, "O1/1\tS2\tship_from_store\t111.195\t2 x A, 1 x B\n"));
    free(ran);
    ran = cli(&rig, "", WORDS("call", "stock.get", "{\"item\":\"B\",\"node\":\"S2\"}"));
    assert_non_null(strstr(ran->out, "\"on_hand\":5"));
    assert_non_null(strstr(ran->out, "\"reserved\":1"));
    free(ran);
    ran = cli(&rig, "", WORDS("route", "--order", "O2", "--to", "40,-74", "--line", "B=9"));
    assert_non_null(strstr(ran->out, "order O2: refused"));
    free(ran);
    free(cli(&rig, "", WORDS("stat")));
    rig_close(&rig);
}

/* The same file again changes nothing and says so. */
static void import_can_be_repeated(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    load_world(&rig);
    struct ran *ran =
        cli(&rig, "node,type,lat,lon,country\nS1,store,40,-74,US\n", WORDS("import", "nodes", "-"));
    assert_non_null(strstr(ran->out, ", 0 created"));
    free(ran);
    ran = cli(&rig, "node,item,on_hand\nS2,B,5\n", WORDS("import", "stock", "-"));
    assert_non_null(strstr(ran->out, "0 created, 0 changed, 1 unchanged"));
    free(ran);
    rig_close(&rig);
}

static struct nearshelf_params *order_params(int n)
{
    char id[32];
    struct nearshelf_params *params = nearshelf_params_new();
    snprintf(id, sizeof(id), "K%d", n);
    nearshelf_params_text(params, "order_id", id);
    nearshelf_params_text(params, "service", "standard");
    nearshelf_params_map(params, "dest");
    nearshelf_params_float(params, "lat", 40);
    nearshelf_params_float(params, "lon", -74);
    nearshelf_params_end(params);
    nearshelf_params_array(params, "lines");
    nearshelf_params_map(params, NULL);
    nearshelf_params_text(params, "item", "A");
    nearshelf_params_int(params, "qty", 1);
    nearshelf_params_end(params);
    nearshelf_params_end(params);
    return params;
}

static void send_orders(struct nearshelf *client, int from, int to)
{
    for (int n = from; n < to; n++) {
        struct nearshelf_params *params = order_params(n);
        assert_int_equal(nearshelf_send(client, "order.route", params, NULL), NEARSHELF_OK);
        nearshelf_params_free(params);
    }
}

static void receive_orders(struct nearshelf *client, int count)
{
    for (int i = 0; i < count; i++) {
        struct nearshelf_reply *reply;
        if (nearshelf_receive(client, &reply) != NEARSHELF_OK) {
            fail_msg("%s %s", nearshelf_reply_code(reply), nearshelf_reply_text(reply));
        }
        assert_true(
            nearshelf_text_is(nearshelf_get(nearshelf_reply_result(reply), "status"), "routed"));
        nearshelf_reply_free(reply);
    }
}

static int64_t stock_of(struct nearshelf *client, const char *node, const char *field)
{
    struct nearshelf_reply *reply;
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_text(params, "item", "A");
    nearshelf_params_text(params, "node", node);
    assert_int_equal(nearshelf_call(client, "stock.get", params, &reply), NEARSHELF_OK);
    int64_t value = nearshelf_int(nearshelf_get(nearshelf_reply_result(reply), field), -1);
    nearshelf_reply_free(reply);
    nearshelf_params_free(params);
    return value;
}

/* The engine is killed while orders are under way: the client finds it again, every order is
 * routed in the end, and each has taken its unit once. */
static void orders_survive_a_kill(void **state)
{
    (void)state;
    struct rig rig;
    char address[128];
    struct nearshelf *client;
    struct nearshelf_counters counters;
    struct nearshelf_options options = {
        .timeout_ms = 20000, .backoff_max_ms = 100, .retry_overloaded = true};
    rig_open(&rig);
    load_world(&rig);
    snprintf(address, sizeof(address), "%s", rig.engine.address);
    assert_int_equal(nearshelf_open(address, &options, &client), NEARSHELF_OK);
    send_orders(client, 0, ORDERS / 2);
    receive_orders(client, 20);
    send_orders(client, ORDERS / 2, ORDERS);
    nearshelf_flush(client);
    engine_stop(&rig.engine, SIGKILL);
    nearshelf_flush(client);
    assert_true(engine_start(&rig.engine, engine_program, rig.dir, address));
    receive_orders(client, ORDERS - 20);
    nearshelf_counters_get(client, &counters, sizeof(counters));
    assert_int_equal(counters.connects, 2);
    assert_int_equal(stock_of(client, "S1", "reserved") + stock_of(client, "S2", "reserved"),
                     ORDERS);
    nearshelf_close(client);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import_route_and_look),
        cmocka_unit_test(import_can_be_repeated),
        cmocka_unit_test(orders_survive_a_kill),
    };
    if (argc != 3) {
        fputs("usage: test_client_engine nearshelfd nearshelf\n", stderr);
        return 2;
    }
    engine_program = argv[1];
    cli_program = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
