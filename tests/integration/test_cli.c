/* The program nearshelf against a scripted server: what it sends, prints and exits with. */
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "program_run.h"
#include "rpc_peer.h"

enum { TEXT_SIZE = 16384, ARGS_MAX = 24 };

static const char *program;

static const char routed[] =
    "{\"order_id\":\"A1\",\"status\":\"routed\",\"fulfilments\":["
    "{\"fulfilment\":\"A1/1\",\"node\":\"S1\",\"service\":\"standard\",\"method\":"
    "\"ship_from_store\",\"km\":1.5,\"cost_cents\":0,\"lines\":[{\"line\":\"1\",\"item\":\"SKU1\","
    "\"qty\":2},{\"line\":\"2\",\"item\":\"SKU2\",\"qty\":1}]},"
    "{\"fulfilment\":\"A1/2\",\"node\":\"W-10\",\"service\":\"standard\",\"method\":"
    "\"ship_from_warehouse\",\"km\":120.25,\"cost_cents\":0,\"lines\":[{\"line\":\"3\","
    "\"item\":\"SKU3\",\"qty\":1}]}],\"unfilled\":[],\"splits\":1,\"total_km\":121.75,"
    "\"optimal\":true,\"explain\":{\"strategy\":\"nearest\",\"candidates\":3,\"rejected\":"
    "{\"TOO_FAR\":1200}},\"lsn\":9}";

static const char refused[] =
    "{\"order_id\":\"R1\",\"status\":\"refused\",\"reason\":\"INSUFFICIENT_STOCK\","
    "\"fulfilments\":[],\"unfilled\":[{\"line\":\"1\",\"item\":\"SKU1\",\"qty\":9,\"reason\":"
    "\"INSUFFICIENT_STOCK\",\"wanted\":9,\"available\":4}],\"splits\":0,\"total_km\":0.0,"
    "\"optimal\":true,\"lsn\":9}";

/* The server: a log of what was asked, as text, and answers by method. */
struct server {
    struct peer peer;
    char log[TEXT_SIZE];
    size_t used;
    int stats_count;
};

static void log_request(struct server *server, const struct peer_request *request)
{
    char params[4096] = "";
    if (request->params) {
        msgpack_object_print_buffer(params, sizeof(params), *request->params);
    }
    int size = snprintf(server->log + server->used, TEXT_SIZE - server->used, "%s %s\n",
                        request->method, params);
    size_t left = TEXT_SIZE - 1 - server->used;
    server->used += (size_t)size < left ? (size_t)size : left;
}

static void answer_stats(struct server *server, struct peer *peer, uint32_t msgid)
{
    char json[256];
    server->stats_count++;
    snprintf(
        json, sizeof(json),
        "{\"orders\":{\"routed\":%d,\"refused\":7},\"share\":0.5,\"methods\":"
        "{\"hello\":{\"count\":%d,\"us\":{\"p50\":3,\"p99\":12}},\"stats\":{\"count\":3,\"us\":"
        "{\"p50\":4,\"p99\":40}}}}",
        1000 * server->stats_count, server->stats_count);
    peer_answer(peer, msgid, json);
}

static bool is_bad_node(const struct peer_request *request)
{
    char node[64];
    return strcmp(peer_text(request, "node", node, sizeof(node)), "BAD") == 0;
}

static enum peer_action serve(struct peer *peer, const struct peer_request *request, void *user)
{
    struct server *server = user;
    char id[64];
    log_request(server, request);
    if (strcmp(request->method, "stats") == 0) {
        answer_stats(server, peer, request->msgid);
    } else if (strcmp(request->method, "order.route") == 0) {
        bool is_refused = *peer_text(request, "order_id", id, sizeof(id)) == 'R';
        peer_answer(peer, request->msgid, is_refused ? refused : routed);
    } else if (is_bad_node(request)) {
        peer_error(peer, request->msgid, 1, "INVALID_ARGUMENT node: no such place");
    } else if (strcmp(request->method, "stock.load") == 0) {
        peer_answer(peer, request->msgid, "{\"changed\":2,\"unchanged\":0,\"created\":1}");
    } else if (strcmp(request->method, "node.put") == 0) {
        peer_answer(peer, request->msgid, "{\"node\":\"x\",\"created\":true}");
    } else if (strcmp(request->method, "nothing") == 0) {
        peer_error(peer, request->msgid, 1, "UNKNOWN_METHOD nothing: did you mean x?");
    } else {
        peer_answer(peer, request->msgid, "{\"b\":1,\"a\":[1.5,null,true,\"\xc3\xa4\"]}");
    }
    return PEER_GO;
}

static struct server *server_start(void)
{
    struct server *server = calloc(1, sizeof(*server));
    assert_non_null(server);
    peer_start(&server->peer, 0, serve, server);
    return server;
}

/* The words with the program in front. */
static void words_of(const char *argv[ARGS_MAX + 1], const char *const *words)
{
    size_t count = 1;
    argv[0] = program;
    for (; words[count - 1] && count < ARGS_MAX; count++) {
        argv[count] = words[count - 1];
    }
    argv[count] = NULL;
}

/* Run the program; input is its standard input. */
static struct ran *run(const struct server *server, const char *input, const char *const *words)
{
    const char *argv[ARGS_MAX + 1];
    words_of(argv, words);
    return program_run(argv, server->peer.address, input);
}

/* Run and compare everything; err NULL: not compared. */
static void expect(const struct server *server, const char *input, const char *const *words,
                   int code, const char *out, const char *err)
{
    struct ran *ran = run(server, input, words);
    assert_string_equal(ran->out, out);
    if (err) {
        assert_string_equal(ran->err, err);
    }
    assert_int_equal(ran->code, code);
    free(ran);
}

static void server_stop(struct server *server, const char *log)
{
    peer_stop(&server->peer);
    if (log) {
        assert_string_equal(server->log, log);
    }
    free(server);
}

#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* Any method with JSON from an argument or standard input, in every type. */
static void call_takes_and_gives_json(void **state)
{
    (void)state;
    struct server *server = server_start();
    const char *result = "{\"b\":1,\"a\":[1.5,null,true,\"\xc3\xa4\"]}\n";
    expect(server, "", WORDS("call", "hello"), 0, result, "");
    expect(server, "", WORDS("call", "x", "{\"i\":-3,\"l\":[[1,\"t\"],{}],\"n\":null,\"f\":0.5}"),
           0, result, "");
    expect(server, "{\"key\":\"k\",\n\"b\":true}", WORDS("call", "x", "-"), 0, result, "");
    server_stop(server, "hello {}\n"
                        "x {\"i\"=>-3, \"l\"=>[[1, \"t\"], {}], \"n\"=>nil, \"f\"=>0.500000}\n"
                        "x {\"key\"=>\"k\", \"b\"=>true}\n");
}

/* Errors go to stderr, as text or JSON, with the exit codes of the help. */
static void errors_and_exit_codes(void **state)
{
    (void)state;
    struct server *server = server_start();
    expect(server, "", WORDS("call", "nothing"), 1, "",
           "nearshelf: UNKNOWN_METHOD nothing: did you mean x?\n");
    expect(
        server, "", WORDS("--json", "call", "nothing"), 1, "",
        "{\"error\":{\"kind\":1,\"code\":\"UNKNOWN_METHOD\",\"text\":\"nothing: did you mean x?\","
        "\"where\":null}}\n");
    expect(server, "", WORDS("call", "x", "{\"a\":1,}"), 2, "",
           "nearshelf: JSON line 1 column 8: string or '}' expected near '}'\n");
    expect(server, "", WORDS("call", "x", "[1]"), 2, "",
           "nearshelf: JSON: the parameters must be one JSON object\n");
    expect(server, "", WORDS("call"), 2, "",
           "nearshelf: call: which METHOD? `nearshelf call hello` lists them\n");
    expect(server, "", WORDS("rout"), 2, "",
           "nearshelf: unknown command rout, did you mean route?\n"
           "`nearshelf help` lists the commands.\n");
    expect(server, "", WORDS("route", "--odrer", "x"), 2, "",
           "nearshelf: unknown flag --odrer, did you mean --order?\n");
    expect(server, "", WORDS("stat", "--count", "0"), 2, "",
           "nearshelf: --count 0: a whole number from 1 to 1000000000 is needed\n");
    expect(server, "", WORDS("--address", "nowhere:0", "stat"), 1, "",
           "nearshelf: --address nowhere:0: HOST:PORT or unix:PATH is needed\n");
    expect(server, "", WORDS("--timeout"), 2, "", "nearshelf: --timeout needs a value: SECONDS\n");
    server_stop(server, "nothing {}\nnothing {}\n");
}

/* An order from flags: what is sent, and the answer for people who read through a pipe. */
static void route_sends_and_tells(void **state)
{
    (void)state;
    struct server *server = server_start();
    expect(server, "",
           WORDS("route", "--order", "A1", "--to", "40.5,-74.25", "--to-postcode=US:10001",
                 "--line", "SKU1=2", "--line", "SKU2", "--line", "SKU3=1", "--max-splits", "1",
                 "--exclude-node", "S9", "--allow-partial", "--explain", "--strategy", "cheap",
                 "--channel=web"),
           0,
           "order A1: routed, 2 fulfilments, 1 split, 121.750 km, proved best\n"
           "fulfilment\tnode\tmethod\tkm\tlines\n"
           "A1/1\tS1\tship_from_store\t1.500\t2 x SKU1, 1 x SKU2\n"
           "A1/2\tW-10\tship_from_warehouse\t120.250\t1 x SKU3\n"
           "strategy nearest, 3 candidates\n"
           "not chosen because\tnodes\n"
           "TOO_FAR\t1,200\n",
           "");
    server_stop(server, "order.route {\"order_id\"=>\"A1\", \"service\"=>\"standard\", "
                        "\"strategy\"=>\"cheap\", \"channel\"=>\"web\", "
                        "\"allow_partial\"=>true, \"exclude_nodes\"=>[\"S9\"], \"lines\"=>["
                        "{\"item\"=>\"SKU1\", \"qty\"=>2}, {\"item\"=>\"SKU2\", \"qty\"=>1}, "
                        "{\"item\"=>\"SKU3\", \"qty\"=>1}], \"dest\"=>{\"lat\"=>40.500000, "
                        "\"lon\"=>-74.250000, \"country\"=>\"US\", \"postcode\"=>\"10001\"}, "
                        "\"max_splits\"=>1, \"explain\"=>1}\n");
}

/* A refusal is an answer: exit 0, or 3 where that was asked for. */
static void refusal_is_an_answer(void **state)
{
    (void)state;
    struct server *server = server_start();
    const char *out = "order R1: refused, INSUFFICIENT_STOCK\n"
                      "unfilled\titem\tqty\tavailable\treason\n"
                      "line 1\tSKU1\t9\t4\tINSUFFICIENT_STOCK\n";
    expect(server, "", WORDS("route", "--order", "R1", "--to", "1,2", "--line", "SKU1=9"), 0, out,
           "");
    expect(server, "",
           WORDS("route", "--order", "R1", "--to", "1,2", "--line", "SKU1=9", "--fail-on-refusal"),
           3, out, "");
    struct ran *ran = run(server, "", WORDS("--json", "route", "--order", "R1", "--line", "SKU1"));
    assert_string_equal(ran->out + strlen(ran->out) - 2, "}\n");
    assert_non_null(strstr(ran->out, "\"reason\":\"INSUFFICIENT_STOCK\""));
    free(ran);
    expect(server, "", WORDS("route", "--order", "R1", "--line", "SKU1", "--to", "91,0"), 2, "",
           "nearshelf: --to: latitude 91: a number from -90 to 90 is needed\n");
    server_stop(server, NULL);
}

/* A wrong row anywhere: all mistakes told with their places, nothing sent. */
static void import_checks_everything_first(void **state)
{
    (void)state;
    struct server *server = server_start();
    expect(server, "node,item,on_hand\nS1,A,1\nS2,,2\nS3,C,x\nS1,A,3\n",
           WORDS("import", "stock", "-"), 1, "",
           "nearshelf: -:3:4: item: empty, but needed\n"
           "nearshelf: -:4:6: on_hand: \"x\" is no whole number\n"
           "nearshelf: -:5:1: the same node and item as in line 2\n"
           "nearshelf: -: 3 errors in 4 rows; nothing was sent\n");
    expect(server, "node,item,on_hand\nS1,,1\nS1,A,1\nS1,A,2\nS2,B,3\nS1,A,4\nS2,,1\n",
           WORDS("import", "stock", "-"), 1, "",
           "nearshelf: -:2:4: item: empty, but needed\n"
           "nearshelf: -:4:1: the same node and item as in line 3\n"
           "nearshelf: -:7:4: item: empty, but needed\n"
           "nearshelf: -:6:1: the same node and item as in line 4\n"
           "nearshelf: -: 4 errors in 6 rows; nothing was sent\n");
    expect(server, "node,item,on_hand\nS1,A,1\nS1,A,2\nS2,A,3\n",
           WORDS("import", "stock", "-"), 1, "",
           "nearshelf: -:3:1: the same node and item as in line 2\n"
           "nearshelf: -: 1 error in 3 rows; nothing was sent\n");
    expect(server, "node,item,onhand\nS1,A,1\n", WORDS("import", "stock", "-"), 1, "",
           "nearshelf: -:1:11: column onhand is no field of stock, did you mean on_hand? (--map "
           "FIELD=onhand names it, --ignore onhand leaves it out)\n");
    expect(server, "node,type,lat,lon\nS1,shop,1,2\n", WORDS("import", "nodes", "-"), 1, "",
           "nearshelf: -:2:4: type: \"shop\" is none of store warehouse vendor\n"
           "nearshelf: -: 1 error in 1 row; nothing was sent\n");
    expect(server, "node,type,lat\n", WORDS("import", "nodes", "-"), 1, "",
           "nearshelf: -:1:1: no column lon (--map lon=COLUMN or --set lon=VALUE gives it)\n");
    expect(server, "", WORDS("import", "items", "-"), 1, "",
           "nearshelf: -: empty; the first row names the fields\n");
    expect(server, "node,item,on_hand\nS1,A,1\n", WORDS("import", "stock", "-", "--dry-run"), 0,
           "1 rows of stock are well formed; nothing was sent\n", "");
    server_stop(server, "");
}

/* Columns under other names, constants, lists, maps: one call a row. */
static void import_nodes_maps_columns(void **state)
{
    (void)state;
    struct server *server = server_start();
    struct ran *ran = run(server,
                          "store,latitude,lon,services,max_km.standard,max_km.same_day,city\r\n"
                          "S1,1.5,2,ship;pickup,100,,Rome\r\n"
                          "\"S,2\",3,4,,,,\r\n",
                          WORDS("import", "nodes", "-", "--map", "node=store,lat=latitude", "--set",
                                "type=store", "--country", "IT", "--ignore", "city"));
    assert_string_equal(ran->err, "");
    assert_int_equal(ran->code, 0);
    assert_non_null(strstr(ran->out, "2 rows of nodes loaded in "));
    assert_non_null(strstr(ran->out, " s, 2 created\n"));
    free(ran);
    server_stop(server,
                "node.put {\"node\"=>\"S1\", \"type\"=>\"store\", \"lat\"=>1.500000, "
                "\"lon\"=>2.000000, \"country\"=>\"IT\", \"services\"=>[\"ship\", \"pickup\"], "
                "\"max_km\"=>{\"standard\"=>100.000000}}\n"
                "node.put {\"node\"=>\"S,2\", \"type\"=>\"store\", \"lat\"=>3.000000, "
                "\"lon\"=>4.000000, \"country\"=>\"IT\"}\n");
}

/* Stock rows of one node share a call, wherever they stand in the file. */
static void import_stock_groups_by_node(void **state)
{
    (void)state;
    struct server *server = server_start();
    struct ran *ran = run(server, "item,node,on_hand\nA,S1,1\nB,S2,2\nC,S1,-3\nD,S2,4\nE,S1,5\n",
                          WORDS("import", "stock", "-", "--json"));
    assert_int_equal(ran->code, 0);
    assert_non_null(strstr(ran->out, "\"rows_loaded\":5,\"calls\":2"));
    assert_non_null(strstr(ran->out, "\"created\":2,\"changed\":4"));
    free(ran);
    peer_stop(&server->peer);
    assert_int_equal(server->peer.requests, 2);
    assert_non_null(strstr(server->log, "\"rows\"=>[[\"A\", 1], [\"C\", -3], [\"E\", 5]]"));
    assert_non_null(strstr(server->log, "\"rows\"=>[[\"B\", 2], [\"D\", 4]]"));
    assert_non_null(strstr(server->log, "\"key\"=>\"import-"));
    free(server);
}

/* Postcodes go by country; 100,001 of them are three calls, each within its bounds. */
static void import_places_in_bounded_calls(void **state)
{
    enum { ROWS = 100001, ROW_SIZE = 32 };
    (void)state;
    struct server *server = server_start();
    char *csv = malloc(ROWS * ROW_SIZE);
    assert_non_null(csv);
    size_t used = (size_t)snprintf(csv, ROW_SIZE, "zip,lat,lon,x\n");
    for (int i = 0; i < ROWS; i++) {
        used += (size_t)snprintf(csv + used, ROW_SIZE, "%06d,1.5,-2.5,\n", i);
    }
    struct ran *ran = run(server, csv,
                          WORDS("import", "places", "-", "--map", "postcode=zip", "--country", "US",
                                "--ignore", "x", "--json"));
    assert_int_equal(ran->code, 0);
    assert_non_null(strstr(ran->out, "\"rows\":100001,\"rows_loaded\":100001,\"calls\":3"));
    assert_non_null(strstr(server->log, "place.load {\"country\"=>\"US\", \"rows\"=>"
                                        "[[\"000000\", 1.500000, -2.500000], [\"000001\""));
    free(ran);
    free(csv);
    server_stop(server, NULL);
}

/* A server's error on the way: the row is named, and how much is loaded, and how to go on. */
static void import_says_where_it_stopped(void **state)
{
    (void)state;
    struct server *server = server_start();
    struct ran *ran = run(server, "node,type,lat,lon\nS1,store,1,2\nBAD,store,1,2\n",
                          WORDS("import", "nodes", "-"));
    assert_string_equal(ran->err,
                        "nearshelf: -:3:1: node.put: INVALID_ARGUMENT node: no such place\n"
                        "nearshelf: -: stopped; 1 of 2 rows are loaded. Mend what is wrong, then "
                        "run the same command again: rows that are loaded already do no harm\n");
    assert_int_equal(ran->code, 1);
    assert_string_equal(ran->out, "");
    free(ran);
    server_stop(server, NULL);
}

/* Stats are whatever the engine counts: scalars in one table, tables of their own beside it. */
static void stat_shows_shapes_and_deltas(void **state)
{
    (void)state;
    struct server *server = server_start();
    const char *first = "stat\tvalue\n"
                        "orders.routed\t1,000\n"
                        "orders.refused\t7\n"
                        "share\t0.5\n"
                        "\nmethods\tcount\tus.p50\tus.p99\n"
                        "hello\t1\t3\t12\n"
                        "stats\t3\t4\t40\n";
    char both[1024];
    expect(server, "", WORDS("stat"), 0, first, "");
    server->stats_count = 0;
    snprintf(both, sizeof(both), "%s%s", first,
             "\nstat\tvalue\n"
             "orders.routed\t2,000 (+1,000)\n"
             "orders.refused\t7\n"
             "share\t0.5\n"
             "\nmethods\tcount\tus.p50\tus.p99\n"
             "hello\t2 (+1)\t3\t12\n"
             "stats\t3\t4\t40\n");
    expect(server, "", WORDS("stat", "--watch", "--count", "2", "--interval", "0.05"), 0, both, "");
    server_stop(server, "stats \nstats \nstats \n");
}

/* What a terminal shows: aligned columns, bold names. */
static void terminal_gets_tables(void **state)
{
    (void)state;
    struct server *server = server_start();
    int terminal;
    char text[TEXT_SIZE];
    size_t size = 0;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    if (child == 0) {
        const char *argv[ARGS_MAX + 1];
        words_of(argv, WORDS("--address", server->peer.address, "route", "--order", "A1", "--line",
                             "SKU1", "--to", "1,2"));
        unsetenv("NO_COLOR");
        setenv("TERM", "xterm", 1);
        execv(program, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    for (ssize_t got; (got = read(terminal, text + size, sizeof(text) - 1 - size)) > 0;) {
        size += (size_t)got;
    }
    text[size] = '\0';
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(terminal);
    assert_string_equal(
        text, "order A1: routed, 2 fulfilments, 1 split, 121.750 km, proved best\r\n"
              "\x1b[1mfulfilment  node  method                    km  lines\r\n"
              "\x1b[0mA1/1        S1    ship_from_store        1.500  2 x SKU1, 1 x SKU2\r\n"
              "A1/2        W-10  ship_from_warehouse  120.250  1 x SKU3\r\n"
              "strategy nearest, 3 candidates\r\n"
              "\x1b[1mnot chosen because  nodes\r\n"
              "\x1b[0mTOO_FAR             1,200\r\n");
    server_stop(server, NULL);
}

/* Help names every command, and the completion script is bash. */
static void help_and_completion(void **state)
{
    static const char *const names[] = {"call", "import", "route", "stat", "check",
                                        "backup", "restore", "help", "completion"};
    (void)state;
    struct server *server = server_start();
    struct ran *ran = run(server, "", WORDS("help"));
    assert_int_equal(ran->code, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ran *one = run(server, "", WORDS("help", names[i]));
        assert_int_equal(one->code, 0);
        assert_non_null(strstr(one->out, names[i]));
        assert_non_null(strstr(ran->out, names[i]));
        free(one);
    }
    free(ran);
    ran = run(server, "", WORDS("completion", "bash"));
    FILE *bash = popen("bash -s", "w");
    assert_non_null(bash);
    fprintf(bash,
            "%s\nCOMP_WORDS=(nearshelf --json imp); COMP_CWORD=2; _nearshelf\n"
            "[[ ${COMPREPLY[*]} == import ]] || exit 1\n"
            "COMP_WORDS=(nearshelf route --service sa); COMP_CWORD=3; _nearshelf\n"
            "[[ ${COMPREPLY[*]} == same_day ]] || exit 2\n"
            "COMP_WORDS=(nearshelf import st); COMP_CWORD=2; _nearshelf\n"
            "[[ ${COMPREPLY[*]} == stock ]] || exit 3\n",
            ran->out);
    assert_int_equal(pclose(bash), 0);
    free(ran);
    server_stop(server, "");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_takes_and_gives_json),
        cmocka_unit_test(errors_and_exit_codes),
        cmocka_unit_test(route_sends_and_tells),
        cmocka_unit_test(refusal_is_an_answer),
        cmocka_unit_test(import_checks_everything_first),
        cmocka_unit_test(import_nodes_maps_columns),
        cmocka_unit_test(import_stock_groups_by_node),
        cmocka_unit_test(import_places_in_bounded_calls),
        cmocka_unit_test(import_says_where_it_stopped),
        cmocka_unit_test(stat_shows_shapes_and_deltas),
        cmocka_unit_test(terminal_gets_tables),
        cmocka_unit_test(help_and_completion),
    };
    if (argc != 2) {
        fputs("usage: test_cli PATH-OF-nearshelf\n", stderr);
        return 2;
    }
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
