/* Threads inherit the cores of the thread that makes them: so the loop's own comes last. */
#include "loop_core.h"

#include "check.h"

static bool first_of(const cpu_set_t *given, cpu_set_t *first_out)
{
    CPU_ZERO(first_out);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, given)) {
            CPU_SET(i, first_out);
            return true;
        }
    }
    return false;
}

bool loop_core_choose(struct loop_core *core)
{
    cpu_set_t given;
    *core = (struct loop_core){.is_on = false};
    if (sched_getaffinity(0, sizeof given, &given) != 0 || CPU_COUNT(&given) < 2 ||
        !first_of(&given, &core->own)) {
        return false;
    }
    CPU_XOR(&core->rest, &given, &core->own);
    core->is_on = sched_setaffinity(0, sizeof core->rest, &core->rest) == 0;
    return core->is_on;
}

void loop_core_take(const struct loop_core *core)
{
    if (core->is_on) {
        /* A core may be taken from the process meanwhile: then the loop stays where it is. */
        (void)sched_setaffinity(0, sizeof core->own, &core->own);
    }
}

void loop_core_attributes(const struct loop_core *core, pthread_attr_t *attributes_out)
{
    CHECK(pthread_attr_init(attributes_out) == 0);
    if (core->is_on) {
        CHECK(pthread_attr_setaffinity_np(attributes_out, sizeof core->rest, &core->rest) == 0);
    }
}
