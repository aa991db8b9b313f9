/* Time and promises through the service, under a test clock: hours, cut-offs, capacity, carriers,
 * dates of orders; each after a restart too. The clock begins on Wednesday, 1 January 2020. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geo.h"
#include "rng.h"
#include "service_harness.h"

enum { HOUR = 3600000 };

static const long long begin_ms = 1577836800000;
static const long long day_ms = 86400000;

static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    harness->options.test_clock = true;
    harness_start(harness);
    *state = harness;
    harness_do(harness, "item.put", "{'item':'a','weight_g':700}");
    return 0;
}

/* The clock stands at so many days and hours after it began. */
static void clock_at(struct harness *harness, int day, double hour)
{
    harness_do(harness, "clock.set", "{'now':%lld}",
               begin_ms + day * day_ms + (long long)(hour * HOUR));
}

static void store(struct harness *harness, const char *node, const char *fields)
{
    harness_do(harness, "node.put",
               "{'node':'%s','type':'store','lat':40,'lon':-74,'services':['ship','same_day',"
               "'pickup'],'max_km':{'same_day':50}%s%s}",
               node, *fields ? "," : "", fields);
    harness_do(harness, "stock.set", "{'item':'a','node':'%s','on_hand':1000}", node);
}

static json_t *order(struct harness *harness, const char *id, const char *service, int qty,
                     const char *fields)
{
    return harness_ask(harness, "order.route",
                       "{'order_id':'%s','service':'%s','lines':[{'item':'a','qty':%d}],"
                       "'dest':{'lat':40.1,'lon':-74,'country':'US','postcode':'10001'}%s%s}",
                       id, service, qty, *fields ? "," : "", fields);
}

static void expect_refused(json_t *answer, const char *reason, const char *reject)
{
    char path[64];
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), reason);
    if (reject) {
        snprintf(path, sizeof path, "rejected.%s", reject);
        assert_int_equal(harness_int(answer, path), 1);
    }
    harness_drop(answer);
}

/* Days and hours after the beginning. */
static void expect_at(const json_t *answer, const char *path, int day, double hour)
{
    assert_int_equal(harness_int(answer, path), begin_ms + day * day_ms + (long long)(hour * HOUR));
}

static void hours_are_told_as_they_were_put(void **state)
{
    struct harness *harness = *state;
    store(harness, "s",
          "'tz':'America/New_York','processing_min':{'pickup':45},'cutoff':{'standard':'14:30',"
          "'same_day':'24:00'},'calendar':{'mon':[['09:00','12:00'],['13:00','21:30']],'sat':[],"
          "'2020-12-25':[],'2020-02-29':[['10:00','11:00']]},'capacity':[{'kind':'orders',"
          "'per':'day','limit':5},{'kind':'units','per':'hour','limit':7,'service':'pickup'}],"
          "'acceptance':0.75,'accept_min':30,'stock_max_age_min':600");
    harness_do(harness, "node.put", "{'node':'s','priority':2}");
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "node.get", "{'node':'s'}");
    assert_string_equal(harness_text(answer, "tz"), "America/New_York");
    assert_int_equal(harness_int(answer, "processing_min.pickup"), 45);
    assert_int_equal(harness_count(answer, "processing_min"), 1);
    assert_string_equal(harness_text(answer, "cutoff.standard"), "14:30");
    assert_string_equal(harness_text(answer, "cutoff.same_day"), "24:00");
    assert_int_equal(harness_count(answer, "calendar"), 9);
    assert_string_equal(harness_text(answer, "calendar.mon.1.1"), "21:30");
    assert_int_equal(harness_count(answer, "calendar.sat"), 0);
    assert_int_equal(harness_count(answer, "calendar.2020-12-25"), 0);
    assert_string_equal(harness_text(answer, "calendar.2020-02-29.0.0"), "10:00");
    assert_int_equal(harness_count(answer, "capacity"), 2);
    assert_string_equal(harness_text(answer, "capacity.1.service"), "pickup");
    assert_int_equal(harness_int(answer, "capacity.1.limit"), 7);
    assert_true(harness_float(answer, "acceptance") == 0.75);
    assert_int_equal(harness_int(answer, "accept_min"), 30);
    assert_int_equal(harness_int(answer, "stock_max_age_min"), 600);
    harness_drop(answer);
    harness_do(harness, "node.put",
               "{'node':'s','tz':null,'processing_min':null,'cutoff':null,'calendar':null,"
               "'capacity':null,'acceptance':null,'accept_min':null,'stock_max_age_min':null}");
    answer = harness_ask(harness, "node.get", "{'node':'s'}");
    assert_false(harness_has(answer, "tz"));
    assert_false(harness_has(answer, "calendar"));
    assert_false(harness_has(answer, "capacity"));
    assert_true(harness_float(answer, "acceptance") == 1.0);
    harness_drop(answer);
}

static void faults_are_named(void **state)
{
    struct harness *harness = *state;
    const char *const bad = "INVALID_ARGUMENT";
    store(harness, "s", "");
    const char *const faults[][2] = {
        {"'tz':'Mars/Olympus'", "tz: \"Mars/Olympus\" is not the IANA name"},
        {"'tz':'../etc/passwd'", "tz:"},
        {"'cutoff':{'standard':'24:01'}", "cutoff.standard: must be a time of day"},
        {"'cutoff':{'standard':'1430'}", "cutoff.standard"},
        {"'cutoff':{'standart':'14:30'}", "did you mean standard"},
        {"'processing_min':{'pickup':43201}", "processing_min.pickup"},
        {"'calendar':{'mo':[]}", "calendar"},
        {"'calendar':{'2026-02-29':[]}", "calendar"},
        {"'calendar':{'mon':[['09:00']]}", "calendar"},
        {"'calendar':{'mon':[['21:00','09:00']]}", "to later than from"},
        {"'calendar':{'mon':[['09:00','12:00'],['11:00','13:00']]}", "do not overlap"},
        {"'calendar':{'mon':[['01:00','02:00'],['03:00','04:00'],['05:00','06:00'],"
         "['07:00','08:00'],['09:00','10:00']]}",
         "at most 4"},
        {"'capacity':[{'kind':'orders','per':'week','limit':1}]", "hour, day"},
        {"'capacity':[{'kind':'orders','per':'day'}]", "limit: missing"},
        {"'capacity':[{'kind':'orders','per':'day','limit':1},"
         "{'kind':'orders','per':'day','limit':2}]",
         "the same kind"},
        {"'acceptance':1.5", "acceptance"},
        {"'accept_min':-1", "accept_min"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char params[400];
        snprintf(params, sizeof params, "{'node':'s',%s}", faults[i][0]);
        harness_refute(harness, "node.put", params, bad, faults[i][1]);
    }
    harness_refute(harness, "capacity.set",
                   "{'node':'s','kind':'orders','per':'day','limit':1,'from':5}", bad,
                   "from and to belong together");
    harness_refute(harness, "carrier.load",
                   "{'carrier':'c','rows':[['standard','US','DE',61,1,1]]}", bad, "rows[0][3]");
    harness_refute(harness, "carrier.load", "{'carrier':'c','rows':[['pickup','US','DE',1,1,1]]}",
                   bad, "rows[0][0]");
    harness_refute(harness, "travel.load", "{'rows':[['nowhere','US',1,1]]}", bad, "nowhere");
    harness_refute(harness, "order.route",
                   "{'order_id':'o','service':'standard','lines':[{'item':'a','qty':1}],"
                   "'dest':{'lat':1,'lon':1},'deliver_after':1900000000000}",
                   bad, "deliver_after: at most 60 days");
}

/* Wednesday in New York: five hours behind. */
static void dates_follow_hours_and_cutoff(void **state)
{
    struct harness *harness = *state;
    store(harness, "s",
          "'tz':'America/New_York','cutoff':{'standard':'14:30'},'processing_min':{'standard':90},"
          "'calendar':{'mon':[['09:00','17:00']],'tue':[['09:00','17:00']],'wed':[['09:00',"
          "'17:00']],'thu':[['09:00','17:00']],'fri':[['09:00','17:00']],'2020-01-03':[]}");
    clock_at(harness, 0, 12); /* 07:00: closed until 09:00 */
    json_t *answer = order(harness, "o1", "standard", 1, "");
    expect_at(answer, "fulfilments.0.ship_by", 0, 15.5);
    expect_at(answer, "fulfilments.0.deliver_from", 1, 13); /* 11 km: Thursday, from 8 to 20 */
    expect_at(answer, "fulfilments.0.deliver_by", 2, 1);
    harness_drop(answer);
    clock_at(harness, 0, 19.25); /* 14:15: ready at 15:45 */
    answer = order(harness, "o2", "standard", 1, "");
    expect_at(answer, "fulfilments.0.ship_by", 0, 20.75);
    harness_drop(answer);
    clock_at(harness, 0, 19.5); /* 14:30: tomorrow */
    answer = order(harness, "o3", "standard", 1, "");
    expect_at(answer, "fulfilments.0.ship_by", 1, 15.5);
    harness_drop(answer);
    clock_at(harness, 1, 20); /* Thursday 15:00; Friday is closed, then a weekend */
    answer = order(harness, "o4", "standard", 1, "");
    expect_at(answer, "fulfilments.0.ship_by", 5, 15.5);
    expect_at(answer, "fulfilments.0.deliver_by", 7, 1);
    harness_drop(answer);
    harness_restart(harness);
    answer = harness_ask(harness, "order.get", "{'order_id':'o4'}");
    expect_at(answer, "fulfilments.0.ship_by", 5, 15.5);
    expect_at(answer, "fulfilments.0.deliver_by", 7, 1);
    harness_drop(answer);
    answer =
        harness_ask(harness, "fulfil.list", "{'node':'s','due_before':%lld}", begin_ms + day_ms);
    assert_int_equal(harness_count(answer, "fulfilments"), 2);
    harness_drop(answer);
    answer = order(harness, "o5", "standard", 1, "'deliver_after':1578960000000"); /* the 14th */
    expect_at(answer, "fulfilments.0.deliver_from", 13, 13);
    harness_drop(answer);
    /* A duplicate tells what was promised then. */
    clock_at(harness, 20, 0);
    answer = order(harness, "o2", "standard", 1, "");
    assert_true(harness_bool(answer, "duplicate"));
    expect_at(answer, "fulfilments.0.ship_by", 0, 20.75);
    harness_drop(answer);
}

/* Without any of it nothing is told. */
static void no_dates_without_hours(void **state)
{
    struct harness *harness = *state;
    store(harness, "s", "");
    json_t *answer = order(harness, "o1", "standard", 1, "");
    assert_false(harness_has(answer, "fulfilments.0.ship_by"));
    harness_drop(answer);
    answer = order(harness, "o2", "standard", 1, "'required_by':1577984400000"); /* Thursday 17 h */
    expect_refused(answer, "PROMISE_NOT_MET", "MISSES_PROMISE");
    answer = order(harness, "o2", "standard", 1, "'required_by':1577995200000"); /* Thursday 20 h */
    expect_at(answer, "fulfilments.0.deliver_by", 1, 20);
    harness_drop(answer);
}

/* What was not to come before a day does not, wherever it comes from in the end. */
static void deliver_after_holds_for_other_sources(void **state)
{
    struct harness *harness = *state;
    const long long after_ms = begin_ms + 13 * day_ms;
    char more[64];
    store(harness, "s", "");
    store(harness, "t", "");
    snprintf(more, sizeof more, "'deliver_after':%lld", after_ms);
    harness_drop(order(harness, "o1", "standard", 2, more));
    json_t *answer =
        harness_ask(harness, "fulfil.reject", "{'fulfilment':'o1/1','reason':'too_busy'}");
    assert_int_equal(harness_count(answer, "fulfilments"), 1);
    assert_true(harness_int(answer, "fulfilments.0.deliver_from") >= after_ms);
    harness_drop(answer);
    answer = harness_ask(harness, "order.modify",
                         "{'order_id':'o1','lines':[{'line':'1','item':'a','qty':1},"
                         "{'line':'2','item':'a','qty':3}]}");
    assert_int_equal(harness_count(answer, "fulfilments"), 1);
    assert_true(harness_int(answer, "fulfilments.0.deliver_from") >= after_ms);
    harness_drop(answer);
}

static void expect_node(json_t *answer, const char *node)
{
    assert_int_equal(harness_count(answer, "fulfilments"), 1);
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), node);
    harness_drop(answer);
}

/* Nearest first, the second one late for today; and the date that it misses. */
static void three_stores(struct harness *harness, char *by, size_t by_size)
{
    store(harness, "first", "");
    store(harness, "near", "'lat':40.2,'cutoff':{'standard':'08:00'}");
    store(harness, "far", "'lat':41");
    snprintf(by, by_size, "'required_by':%lld", begin_ms + day_ms + 20 * HOUR);
    clock_at(harness, 0, 9);
}

/* What must be there by a day comes, in the end, from where it is in time, though another node is
 * nearer; where none is, a change is refused, and what was promised is told as broken. */
static void required_by_holds_for_other_sources(void **state)
{
    struct harness *harness = *state;
    char by[80];
    three_stores(harness, by, sizeof by);
    for (int i = 1; i <= 4; i++) {
        char id[4] = {'o', (char)('0' + i), 0, 0};
        expect_node(order(harness, id, "standard", 2, by), "first");
    }
    expect_node(order(harness, "o5", "standard", 1, "'strategy':'nearest'"), "first");
    expect_node(harness_ask(harness, "order.reroute",
                            "{'order_id':'o1','fulfilments':['o1/1'],'exclude_nodes':['first']}"),
                "far");
    expect_node(harness_ask(harness, "order.reroute",
                            "{'order_id':'o5','fulfilments':['o5/1'],'exclude_nodes':['first']}"),
                "near");
    expect_node(harness_ask(harness, "fulfil.reject",
                            "{'fulfilment':'o2/1','reason':'too_busy'}"), "far");
    harness_do(harness, "node.status", "{'node':'first','status':'on_hold'}");
    expect_node(harness_ask(harness, "order.modify",
                            "{'order_id':'o3','lines':[{'line':'1','qty':2},"
                            "{'line':'2','item':'a','qty':1}]}"), "far");
    harness_do(harness, "node.status",
               "{'node':'first','status':'on_hold','reroute':true}"); /* o3 and o4 leave it */
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o4'}");
    assert_string_equal(harness_text(answer, "fulfilments.1.node"), "far");
    harness_drop(answer);
    /* Nobody can any more: a change is refused, a rejection has a source and tells it is late. */
    harness_do(harness, "node.put", "{'node':'far','cutoff':{'standard':'08:00'}}");
    answer = harness_ask(harness, "order.modify",
                         "{'order_id':'o4','lines':[{'line':'1','qty':3}]}");
    expect_refused(answer, "PROMISE_NOT_MET", NULL);
    answer = harness_ask(harness, "order.reroute",
                         "{'order_id':'o4','fulfilments':['o4/2'],'exclude_nodes':['far']}");
    expect_refused(answer, "PROMISE_NOT_MET", NULL);
    answer = harness_ask(harness, "fulfil.reject", "{'fulfilment':'o4/2','reason':'too_busy'}");
    assert_false(harness_bool(answer, "promise.kept"));
    assert_true(harness_int(answer, "promise.deliver_by") > begin_ms + day_ms + 20 * HOUR);
    expect_node(answer, "near");
    expect_node(harness_ask(harness, "order.reroute",
                            "{'order_id':'o3','fulfilments':['o3/2'],'exclude_nodes':['far'],"
                            "'required_by':%lld}", begin_ms + 5 * day_ms), "near");
}

/* New stock goes to who waits from where it comes in time; late, where there is no other. */
static void required_by_holds_for_new_stock(void **state)
{
    struct harness *harness = *state;
    char by[80];
    three_stores(harness, by, sizeof by);
    for (int i = 1; i <= 2; i++) {
        char id[4] = {'o', (char)('0' + i), 0, 0};
        harness_drop(order(harness, id, "standard", 2, by));
        json_t *answer = harness_ask(harness, "fulfil.reject", "{'fulfilment':'%s/1','reason':"
                                     "'too_busy','reroute':false}", id);
        assert_string_equal(harness_text(answer, "status"), "held");
        harness_drop(answer);
        harness_do(harness, "stock.adjust", "{'item':'a','node':'near','delta':1}");
        answer = harness_ask(harness, "order.get", "{'order_id':'%s'}", id);
        assert_string_equal(harness_text(answer, "fulfilments.1.node"), i == 1 ? "far" : "near");
        harness_drop(answer);
        harness_do(harness, "stock.set", "{'item':'a','node':'far','on_hand':0}");
    }
}

static void same_day_ends_with_the_day(void **state)
{
    struct harness *harness = *state;
    store(harness, "s",
          "'cutoff':{'same_day':'16:00'},'processing_min':{'same_day':60},'calendar':{"
          "'wed':[['08:00','18:00']],'thu':[['08:00','18:00']]}");
    clock_at(harness, 0, 15.99);
    json_t *answer = order(harness, "o1", "same_day", 1, "");
    assert_string_equal(harness_text(answer, "status"), "routed");
    expect_at(answer, "fulfilments.0.ship_by", 0, 17);
    harness_drop(answer);
    clock_at(harness, 0, 16);
    expect_refused(order(harness, "o2", "same_day", 1, ""), "NO_FEASIBLE_SOURCE", "CUTOFF_MISSED");
    clock_at(harness, 1, 0);
    answer = order(harness, "o3", "same_day", 1, "");
    expect_at(answer, "fulfilments.0.ship_by", 1, 9);
    expect_at(answer, "fulfilments.0.deliver_from", 1, 9.5 + 26 / 60.0); /* 11.1 km at 25 km/h */
    harness_drop(answer);
    harness_do(harness, "travel.load", "{'rows':[['s','US',30,20],['s','US:100',14.5,40]]}");
    answer = order(harness, "o4", "same_day", 1, "");
    expect_at(answer, "fulfilments.0.deliver_from", 1, 9 + 40 / 60.0);
    expect_at(answer, "fulfilments.0.deliver_by", 1, 11 + 40 / 60.0);
    harness_drop(answer);
    harness_restart(harness);
    clock_at(harness, 2, 9); /* Friday: closed, and not open before next Wednesday */
    expect_refused(order(harness, "o5", "same_day", 1, ""), "NO_FEASIBLE_SOURCE", "CUTOFF_MISSED");
}

static int64_t used(struct harness *harness, const char *node)
{
    json_t *answer = harness_ask(harness, "capacity.get", "{'node':'%s'}", node);
    int64_t count = harness_int(answer, "capacity.0.used");
    harness_drop(answer);
    return count;
}

static void capacity_is_taken_and_given_back(void **state)
{
    struct harness *harness = *state;
    store(harness, "s", "'capacity':[{'kind':'orders','per':'day','limit':2}]");
    for (int i = 0; i < 2; i++) {
        char id[4] = {'o', (char)('1' + i), 0};
        harness_drop(order(harness, id, "standard", 3, ""));
    }
    assert_int_equal(used(harness, "s"), 2);
    expect_refused(order(harness, "o3", "standard", 1, ""), "CAPACITY_EXCEEDED", "CAPACITY_FULL");
    harness_restart(harness);
    expect_refused(order(harness, "o3", "standard", 1, ""), "CAPACITY_EXCEEDED", "CAPACITY_FULL");
    harness_do(harness, "order.cancel", "{'order_id':'o1','lines':[{'line':'1','qty':2}]}");
    assert_int_equal(used(harness, "s"), 2);
    harness_do(harness, "order.cancel", "{'order_id':'o1'}");
    assert_int_equal(used(harness, "s"), 1);
    json_t *answer = order(harness, "o3", "standard", 1, "");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    expect_refused(order(harness, "o4", "standard", 1, ""), "CAPACITY_EXCEEDED", "CAPACITY_FULL");
    clock_at(harness, 1, 0);
    assert_int_equal(used(harness, "s"), 0);
    answer = order(harness, "o4", "standard", 1, "");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    /* Given back to the day where it was taken. */
    harness_do(harness, "order.cancel", "{'order_id':'o3'}");
    assert_int_equal(used(harness, "s"), 1);
}

static void units_are_counted_by_the_hour(void **state)
{
    struct harness *harness = *state;
    store(harness, "s", "");
    store(harness, "t", "'lat':44");
    harness_do(harness, "capacity.set",
               "{'node':'s','kind':'units','per':'hour','limit':10,'service':'standard'}");
    harness_do(harness, "capacity.set",
               "{'node':'s','kind':'units','per':'hour','limit':4,'service':'standard',"
               "'from':%lld,'to':%lld}",
               begin_ms + HOUR, begin_ms + 2 * HOUR);
    json_t *answer = order(harness, "o1", "standard", 7, "");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "s");
    harness_drop(answer);
    answer = order(harness, "o2", "standard", 4, "'explain':1"); /* 3 are left: the next node */
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "t");
    assert_int_equal(harness_int(answer, "explain.rejected.CAPACITY_FULL"), 1);
    harness_drop(answer);
    answer = order(harness, "o3", "standard", 3, "");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "s");
    harness_drop(answer);
    clock_at(harness, 0, 1.5);
    answer = order(harness, "o4", "standard", 5, "");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "t");
    harness_drop(answer);
    answer = order(harness, "o5", "standard", 4, "");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "s");
    harness_drop(answer);
    clock_at(harness, 0, 2);
    answer = order(harness, "o6", "standard", 100, "");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "t");
    harness_drop(answer);
    answer = order(harness, "o7", "pickup", 100, "'pickup_node':'s'");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    harness_do(harness, "capacity.set",
               "{'node':'s','kind':'units','per':'hour','limit':null,'service':'standard'}");
    answer = order(harness, "o8", "standard", 100, "");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "s");
    harness_drop(answer);
}

/* Two groups of one order want one node: the second finds what the first left. */
static void groups_share_capacity(void **state)
{
    struct harness *harness = *state;
    store(harness, "s", "'capacity':[{'kind':'orders','per':'day','limit':1}]");
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o','service':'standard','dest':{'lat':40,'lon':-74},"
                                 "'lines':[{'item':'a','qty':1},{'item':'a','qty':1,"
                                 "'service':'pickup','pickup_node':'s'}]}");
    expect_refused(answer, "CAPACITY_EXCEEDED", NULL);
    store(harness, "t", "'lat':41");
    answer = harness_ask(harness, "order.route",
                         "{'order_id':'o','service':'standard','dest':{'lat':40,'lon':-74},"
                         "'lines':[{'item':'a','qty':1},{'item':'a','qty':1,"
                         "'service':'pickup','pickup_node':'s'}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "s");
    assert_string_equal(harness_text(answer, "fulfilments.1.node"), "t");
    harness_drop(answer);
}

static void carriers_give_dates_and_cost(void **state)
{
    struct harness *harness = *state;
    store(harness, "s", "'country':'US','postcode':'07001','handling_cents':100");
    harness_do(harness, "carrier.load",
               "{'carrier':'slow','rows':[['standard','US','US',5,400,100],"
               "['standard','US:07','US:1',3,300,50],['standard','US:07','US:10',4,200,10]]}");
    json_t *answer = order(harness, "o1", "standard", 3, ""); /* 2.1 kg: 3 begun kg */
    assert_int_equal(harness_int(answer, "fulfilments.0.cost_cents"), 100 + 200 + 30);
    expect_at(answer, "fulfilments.0.deliver_by", 6, 20); /* Wednesday and 4 working days */
    harness_drop(answer);
    harness_do(harness, "carrier.load",
               "{'carrier':'fast','rows':[['standard','US','US',2,900,0]]}");
    answer = order(harness, "o2", "standard", 3, "");
    assert_int_equal(harness_int(answer, "fulfilments.0.cost_cents"), 100 + 900);
    expect_at(answer, "fulfilments.0.deliver_by", 2, 20);
    harness_drop(answer);
    harness_do(harness, "carrier.load", "{'carrier':'fast','rows':[],'replace':true}");
    harness_restart(harness);
    answer = order(harness, "o3", "standard", 3, "");
    assert_int_equal(harness_int(answer, "fulfilments.0.cost_cents"), 100 + 200 + 30);
    harness_drop(answer);
    answer = harness_ask(harness, "carrier.load",
                         "{'carrier':'slow','rows':[['standard','US:07001','US',0,50,0]],"
                         "'replace':true,'key':'k'}");
    assert_int_equal(harness_int(answer, "loaded"), 1);
    harness_drop(answer);
    answer = harness_ask(harness, "carrier.load",
                         "{'carrier':'slow','rows':[['standard','US:07001','US',0,50,0]],"
                         "'replace':true,'key':'k'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    answer = order(harness, "o4", "standard", 3, "");
    assert_int_equal(harness_int(answer, "fulfilments.0.cost_cents"), 100 + 50);
    expect_at(answer, "fulfilments.0.deliver_by", 0, 20);
    harness_drop(answer);
    clock_at(harness, 0, 21); /* too late for the same day's delivery */
    answer = order(harness, "o5", "standard", 3, "");
    expect_at(answer, "fulfilments.0.deliver_by", 1, 20);
    harness_drop(answer);
}

/* Of next_day without a reach: the row of the longest areas decides, carrier by carrier. */
struct carrier_said {
    char carrier;
    char origin[8], dest[8];
    int days;
};

enum { ROWS = 14, PLACES = 6, CARRIER_NODES_ASKED = 9 };

static const char *const postcodes[PLACES] = {"10001", "10002", "10990", "11500", "20001", "90210"};

static bool covers(const char *area, const char *postcode)
{
    return strlen(area) == 2 || strncmp(area + 3, postcode, strlen(area + 3)) == 0;
}

/* The plain reading of the contract: of each carrier the longest destination, then the longest
 * origin; among carriers the fewest days. */
static bool is_carried(const struct carrier_said *rows, const char *from, const char *to)
{
    int fewest = 99;
    for (char carrier = 'a'; carrier <= 'c'; carrier++) {
        size_t longest = 0;
        int days = 99;
        for (int i = 0; i < ROWS; i++) {
            size_t own = strlen(rows[i].dest) * 100 + strlen(rows[i].origin);
            bool is_of = rows[i].carrier == carrier && covers(rows[i].origin, from) &&
                         covers(rows[i].dest, to);
            if (is_of && own >= longest) {
                longest = own;
                days = rows[i].days;
            }
        }
        fewest = days < fewest ? days : fewest;
    }
    return fewest <= 1;
}

static void area_draw(struct rng *rng, char out[8])
{
    const char *postcode = postcodes[rng_below(rng, PLACES)];
    int digits = (int)rng_below(rng, 4);
    snprintf(out, 8, digits ? "US:%.*s" : "US", digits, postcode);
}

static void rows_load(struct harness *harness, struct rng *rng, struct carrier_said *rows)
{
    for (int i = 0; i < ROWS; i++) {
        area_draw(rng, rows[i].origin);
        area_draw(rng, rows[i].dest);
        rows[i].carrier = (char)('a' + rng_below(rng, 3));
        rows[i].days = (int)rng_below(rng, 4);
        for (int k = 0; k < i; k++) { /* the later row of the same areas takes its place */
            bool is_same = rows[k].carrier == rows[i].carrier &&
                           strcmp(rows[k].origin, rows[i].origin) == 0 &&
                           strcmp(rows[k].dest, rows[i].dest) == 0;
            rows[k].carrier = is_same ? 'x' : rows[k].carrier;
        }
    }
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].carrier != 'x') {
            harness_do(harness, "carrier.load",
                       "{'carrier':'%c','rows':[['next_day','%s','%s',%d,100,0]]}",
                       rows[i].carrier, rows[i].origin, rows[i].dest, rows[i].days);
        }
    }
}

static void ask_from(struct harness *harness, const struct carrier_said *rows, int node, int place)
{
    json_t *answer = harness_ask(
        harness, "order.route",
        "{'order_id':'d','service':'next_day','lines':[{'item':'a','qty':1}],'dry_run':true,"
        "'include_nodes':['n%d'],'dest':{'lat':40,'lon':-74,'country':'US','postcode':'%s'}}",
        node, postcodes[place]);
    bool is_expected = is_carried(rows, postcodes[node % PLACES], postcodes[place]);
    assert_string_equal(harness_text(answer, "status"), is_expected ? "routed" : "refused");
    if (!is_expected) {
        assert_int_equal(harness_int(answer, "rejected.SERVICE_NOT_OFFERED"), 1);
    }
    harness_drop(answer);
}

/* A node without a reach for next_day serves it where a carrier's row takes it there by the next
 * working day: as a plain reading of the rows says, before and after changes and a restart. */
static void carriers_stand_for_a_reach(void **state)
{
    struct harness *harness = *state;
    struct rng rng;
    struct carrier_said rows[ROWS];
    rng_init(&rng, 20260731);
    for (int node = 0; node < CARRIER_NODES_ASKED; node++) {
        char fields[80];
        char id[8];
        snprintf(id, sizeof id, "n%d", node);
        snprintf(fields, sizeof fields, "'country':'US','postcode':'%s'",
                 postcodes[node % PLACES]);
        store(harness, id, fields);
    }
    expect_refused(order(harness, "none", "next_day", 1, "'include_nodes':['n0']"),
                   "NO_FEASIBLE_SOURCE", NULL);
    for (int round = 0; round < 12; round++) {
        rows_load(harness, &rng, rows);
        if (round % 4 == 3) {
            harness_restart(harness);
        }
        for (int i = 0; i < CARRIER_NODES_ASKED * PLACES; i++) {
            ask_from(harness, rows, i / PLACES, i % PLACES);
        }
        for (char carrier = 'a'; carrier <= 'c'; carrier++) {
            harness_do(harness, "carrier.load", "{'carrier':'%c','rows':[],'replace':true}",
                       carrier);
        }
    }
}

/* A reach that is set decides as before; a closed node does not serve. */
static void reach_and_status_count_beside_carriers(void **state)
{
    struct harness *harness = *state;
    store(harness, "far", "'country':'US','postcode':'10001'");
    store(harness, "near", "'max_km':{'next_day':5},'country':'US','postcode':'10001'");
    harness_do(harness, "carrier.load",
               "{'carrier':'c','rows':[['next_day','US','US',1,100,0]]}");
    json_t *answer = order(harness, "o1", "next_day", 1, "'explain':1");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "far");
    assert_int_equal(harness_int(answer, "explain.rejected.TOO_FAR"), 1); /* 11 km */
    harness_drop(answer);
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'o1','node':'near'}");
    assert_string_equal(harness_text(answer, "groups.0.fences.0.reason"), "TOO_FAR");
    harness_drop(answer);
    answer = harness_ask(harness, "stock.find",
                         "{'items':[{'item':'a'}],'service':'next_day','dest':{'lat':40.1,"
                         "'lon':-74,'country':'US','postcode':'10001'}}");
    assert_int_equal(harness_count(answer, "items.0.nodes"), 1);
    assert_string_equal(harness_text(answer, "items.0.nodes.0.node"), "far");
    harness_drop(answer);
    harness_do(harness, "node.status", "{'node':'far','status':'closed'}");
    expect_refused(order(harness, "o2", "next_day", 1, ""), "NO_FEASIBLE_SOURCE", "NODE_INACTIVE");
    harness_do(harness, "node.status", "{'node':'far','status':'active'}");
    harness_do(harness, "carrier.load", "{'carrier':'c','rows':[['next_day','US','US',2,1,0]]}");
    expect_refused(order(harness, "o3", "next_day", 1, ""), "NO_FEASIBLE_SOURCE",
                   "SERVICE_NOT_OFFERED");
}

static void late_nodes_are_fenced(void **state)
{
    struct harness *harness = *state;
    char by[64];
    store(harness, "near", "'cutoff':{'standard':'10:00'}");
    store(harness, "far", "'lat':41");
    snprintf(by, sizeof by, "'required_by':%lld,'explain':1", begin_ms + day_ms + 20 * HOUR);
    clock_at(harness, 0, 9);
    json_t *answer = order(harness, "o1", "standard", 1, by);
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "near");
    harness_drop(answer);
    clock_at(harness, 0, 10);
    answer = order(harness, "o2", "standard", 1, by);
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "far");
    assert_int_equal(harness_int(answer, "explain.rejected.MISSES_PROMISE"), 1);
    harness_drop(answer);
    answer = order(harness, "o3", "standard", 1, "");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "near");
    harness_drop(answer);
}

static void old_counts_take_a_node_out(void **state)
{
    struct harness *harness = *state;
    store(harness, "s", "'stock_max_age_min':60");
    clock_at(harness, 0, 0.999);
    json_t *answer = order(harness, "o1", "standard", 1, "");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    clock_at(harness, 0, 1);
    expect_refused(order(harness, "o2", "standard", 1, ""), "NO_FEASIBLE_SOURCE", "STOCK_STALE");
    harness_restart(harness);
    expect_refused(order(harness, "o2", "standard", 1, ""), "NO_FEASIBLE_SOURCE", "STOCK_STALE");
    harness_do(harness, "stock.set", "{'item':'a','node':'s','on_hand':5}");
    answer = order(harness, "o2", "standard", 1, "");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
}

/* A quote is what an order would be; nothing is taken; what is missing is told where. */
static void a_quote_is_what_an_order_would_be(void **state)
{
    struct harness *harness = *state;
    store(harness, "s", "'cutoff':{'same_day':'16:00','standard':'16:00'},'handling_cents':50");
    store(harness, "t",
          "'lat':41,'services':['ship','pickup'],'max_km':{'next_day':500},"
          "'processing_min':{'pickup':30}");
    store(harness, "u", "'lat':42,'services':['pickup']");
    harness_do(harness, "item.put", "{'item':'b'}");
    harness_do(harness, "stock.set", "{'item':'b','node':'t','on_hand':3}");
    clock_at(harness, 0, 10);
    json_t *answer = harness_ask(harness, "promise.quote",
                                 "{'lines':[{'item':'a','qty':2},{'item':'b','qty':3,'line':'x'}],"
                                 "'dest':{'lat':40.1,'lon':-74},'pickup_near':{'k':2}}");
    assert_int_equal(harness_count(answer, "options"), 4);
    assert_string_equal(harness_text(answer, "options.0.service"), "standard");
    assert_true(harness_bool(answer, "options.0.feasible"));
    assert_int_equal(harness_int(answer, "options.0.splits"), 0);
    assert_string_equal(harness_text(answer, "options.0.fulfilments.0.node"), "t");
    expect_at(answer, "options.0.deliver_by", 1, 20);
    expect_at(answer, "options.0.order_by", 1, 0);
    expect_at(answer, "valid_until", 0, 10.25);
    assert_true(harness_bool(answer, "options.1.feasible"));
    assert_false(harness_bool(answer, "options.2.feasible"));
    assert_string_equal(harness_text(answer, "options.2.reason"), "INSUFFICIENT_STOCK");
    assert_string_equal(harness_text(answer, "options.2.missing.0.line"), "x");
    assert_int_equal(harness_int(answer, "options.2.missing.0.qty"), 3);
    assert_true(harness_bool(answer, "options.3.feasible"));
    assert_string_equal(harness_text(answer, "options.3.fulfilments.0.node"), "t");
    assert_string_equal(harness_text(answer, "options.3.pickup_nodes.0.node"), "s");
    assert_int_equal(harness_count(answer, "options.3.pickup_nodes.0.missing"), 1);
    expect_at(answer, "options.3.pickup_nodes.0.ready_at", 0, 10);
    assert_string_equal(harness_text(answer, "options.3.pickup_nodes.1.node"), "t");
    assert_int_equal(harness_count(answer, "options.3.pickup_nodes.1.missing"), 0);
    expect_at(answer, "options.3.pickup_nodes.1.ready_at", 0, 10.5);
    harness_drop(answer);
    /* At another time: as it will be then. */
    answer = harness_ask(harness, "promise.quote",
                         "{'lines':[{'item':'a','qty':1}],'dest':{'lat':40.1,'lon':-74},"
                         "'services':['same_day','standard'],'at':%lld}",
                         begin_ms + 17 * HOUR);
    assert_string_equal(harness_text(answer, "options.0.service"), "standard");
    expect_at(answer, "options.0.fulfilments.0.ship_by", 1, 0);
    assert_int_equal(harness_int(answer, "options.0.cost_cents"), 50);
    assert_false(harness_bool(answer, "options.1.feasible"));
    harness_drop(answer);
    answer = harness_ask(harness, "stock.get", "{'item':'b','node':'t'}");
    assert_int_equal(harness_int(answer, "reserved"), 0);
    harness_drop(answer);
    harness_refute(harness, "promise.quote", "{'lines':[]}", "INVALID_ARGUMENT", "at least one");
    harness_refute(harness, "promise.quote", "{'lines':[{'item':'a','qty':1}]}", "INVALID_ARGUMENT",
                   "dest: missing");
    harness_refute(harness, "promise.quote",
                   "{'lines':[{'item':'a','qty':1}],'dest':{'lat':1,'lon':1},'at':1}",
                   "INVALID_ARGUMENT", "at: must be from");
    harness_refute(harness, "promise.quote",
                   "{'lines':[{'item':'nix','qty':1}],'dest':{'lat':1,'lon':1}}", "UNKNOWN_ITEM",
                   "nix");
}

/* The nearest pick-up nodes beside all nodes sorted by distance, wherever one stands. */
static void nearest_nodes_are_the_nearest(void **state)
{
    struct harness *harness = *state;
    for (int i = 0; i < 300; i++) {
        harness_do(harness, "node.put",
                   "{'node':'n%03d','type':'store','lat':%.4f,'lon':%.4f,'services':['%s']}", i,
                   30 + i * 37 % 211 * 0.1, -120 + i * 53 % 307 * 0.15, i % 3 ? "pickup" : "ship");
    }
    for (int i = 0; i < 40; i++) {
        json_t *all = harness_ask(harness, "promise.quote",
                                  "{'lines':[{'item':'a','qty':1}],'services':['pickup'],"
                                  "'dest':{'lat':%.4f,'lon':%.4f},'pickup_near':{'k':20}}",
                                  28 + i * 0.6, -122 + i * 1.3);
        json_t *few = harness_ask(harness, "promise.quote",
                                  "{'lines':[{'item':'a','qty':1}],'services':['pickup'],"
                                  "'dest':{'lat':%.4f,'lon':%.4f},'pickup_near':{'k':4}}",
                                  28 + i * 0.6, -122 + i * 1.3);
        assert_int_equal(harness_count(all, "options.0.pickup_nodes"), 20);
        assert_int_equal(harness_count(few, "options.0.pickup_nodes"), 4);
        double before = 0;
        for (int k = 0; k < 20; k++) {
            char path[64];
            snprintf(path, sizeof path, "options.0.pickup_nodes.%d.km", k);
            assert_true(harness_float(all, path) >= before);
            before = harness_float(all, path);
            if (k < 4) {
                assert_true(harness_float(few, path) == before);
            }
        }
        json_t *near = harness_ask(harness, "node.list", "{'limit':1000}");
        uint32_t nearer = 0;
        for (uint32_t k = 0; k < harness_count(near, "nodes"); k++) {
            char path[64];
            snprintf(path, sizeof path, "nodes.%u.services.0", k);
            bool is_pickup = strcmp(harness_text(near, path), "pickup") == 0;
            snprintf(path, sizeof path, "nodes.%u.lat", k);
            double lat = harness_float(near, path);
            snprintf(path, sizeof path, "nodes.%u.lon", k);
            struct geo_point here = geo_point(28 + i * 0.6, -122 + i * 1.3);
            struct geo_point there = geo_point(lat, harness_float(near, path));
            nearer += is_pickup && geo_metres(&there, &here) / 1000.0 < before;
        }
        assert_true(nearer <= 19);
        harness_drop(near);
        harness_drop(all);
        harness_drop(few);
    }
}

/* Thousands of orders, cancels and new hours against a book of each day: never over, all given
 * back. */
static void capacity_is_never_passed(void **state)
{
    enum { NODES = 6, DAYS = 12, OPEN = 400 };
    struct harness *harness = *state;
    struct rng rng;
    struct {
        int node, day, units;
    } open[OPEN];
    int orders[NODES][DAYS] = {{0}};
    int units[NODES][DAYS] = {{0}};
    int count = 0;
    int number = 0;
    int refused = 0;
    rng_init(&rng, 5);
    for (int i = 0; i < NODES; i++) {
        char name[2] = {(char)('a' + i), 0};
        store(harness, name,
              i % 2 ? "'capacity':[{'kind':'units','per':'day','limit':40}]"
                    : "'capacity':[{'kind':'orders','per':'day','limit':9},"
                      "{'kind':'units','per':'day','limit':30,'service':'standard'}]");
    }
    for (int day = 0; day < DAYS; day++) {
        clock_at(harness, day, 1);
        for (int step = 0; step < 120; step++) {
            char id[16];
            if (count > 0 && (rng_below(&rng, 3) == 0 || count == OPEN)) {
                int which = (int)rng_below(&rng, (uint64_t)count);
                snprintf(id, sizeof id, "%d", open[which].units >> 8);
                harness_do(harness, "order.cancel", "{'order_id':'%s'}", id);
                orders[open[which].node][open[which].day]--;
                units[open[which].node][open[which].day] -= open[which].units & 255;
                open[which] = open[--count];
                continue;
            }
            int qty = 1 + (int)rng_below(&rng, 12);
            snprintf(id, sizeof id, "%d", ++number);
            json_t *answer = order(harness, id, "standard", qty, "");
            if (strcmp(harness_text(answer, "status"), "refused") == 0) {
                assert_string_equal(harness_text(answer, "reason"), "CAPACITY_EXCEEDED");
                refused++;
            } else {
                int node = harness_text(answer, "fulfilments.0.node")[0] - 'a';
                open[count].node = node;
                open[count].day = day;
                open[count++].units = number << 8 | qty;
                orders[node][day]++;
                units[node][day] += qty;
                assert_true(units[node][day] <= (node % 2 ? 40 : 30));
                assert_true(node % 2 || orders[node][day] <= 9);
            }
            harness_drop(answer);
        }
        if (day % 5 == 4) {
            harness_restart(harness);
        }
        for (int i = 0; i < NODES; i++) {
            json_t *answer = harness_ask(harness, "capacity.get", "{'node':'%c'}", 'a' + i);
            int expected = i % 2 ? units[i][day] : orders[i][day];
            assert_int_equal(harness_int(answer, "capacity.0.used"), expected);
            harness_drop(answer);
        }
    }
    assert_true(refused > 20);
}

/* A cart with a service is told what an order of the same moment would be; without one nothing. */
static void carts_tell_dates(void **state)
{
    struct harness *harness = *state;
    store(harness, "n1", "'tz':'America/New_York','processing_min':{'standard':30}");
    clock_at(harness, 0, 15);
    const char *ask = "{'%s':'%s',%s%s'dest':{'lat':40,'lon':-74},'lines':[{'item':'a','qty':1}]}";
    json_t *told = harness_ask(harness, "order.route", ask, "order_id", "o", "",
                               "'service':'standard',");
    json_t *answer = harness_ask(harness, "reserve.create", ask, "reservation_id", "r",
                                 "'ttl_ms':1000,", "'service':'standard',");
    assert_int_equal(harness_int(answer, "deliver_by"),
                     harness_int(told, "fulfilments.0.deliver_by"));
    assert_int_equal(harness_int(answer, "deliver_from"),
                     harness_int(told, "fulfilments.0.deliver_from"));
    harness_drop(answer);
    answer = harness_ask(harness, "reserve.update",
                         "{'reservation_id':'r','lines':[{'item':'a','qty':2}]}");
    assert_int_equal(harness_int(answer, "deliver_by"),
                     harness_int(told, "fulfilments.0.deliver_by"));
    harness_drop(answer);
    harness_drop(told);
    answer = harness_ask(harness, "reserve.get", "{'reservation_id':'r'}");
    assert_false(harness_has(answer, "deliver_by"));
    harness_drop(answer);
    answer = harness_ask(harness, "reserve.create", ask, "reservation_id", "s", "'ttl_ms':1000,",
                         "");
    assert_false(harness_has(answer, "deliver_by"));
    harness_drop(answer);
}

int main(void)
{
#define TIMES(name) cmocka_unit_test_setup_teardown(name, setup, harness_end)
    const struct CMUnitTest tests[] = {
        TIMES(hours_are_told_as_they_were_put), TIMES(faults_are_named),
        TIMES(dates_follow_hours_and_cutoff),   TIMES(no_dates_without_hours),
        TIMES(deliver_after_holds_for_other_sources),
        TIMES(required_by_holds_for_other_sources),
        TIMES(required_by_holds_for_new_stock),
        TIMES(same_day_ends_with_the_day),      TIMES(capacity_is_taken_and_given_back),
        TIMES(units_are_counted_by_the_hour),   TIMES(groups_share_capacity),
        TIMES(carriers_give_dates_and_cost),    TIMES(late_nodes_are_fenced),
        TIMES(carriers_stand_for_a_reach),      TIMES(reach_and_status_count_beside_carriers),
        TIMES(old_counts_take_a_node_out),      TIMES(a_quote_is_what_an_order_would_be),
        TIMES(nearest_nodes_are_the_nearest),   TIMES(capacity_is_never_passed),
        cmocka_unit_test_setup_teardown(carts_tell_dates, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
