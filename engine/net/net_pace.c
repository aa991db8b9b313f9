/* Pace: how much a turn reads.
 *
 * Under more load than the owner can take, what was read and waits too long is refused, which has
 * its price too: where ten times too much is read, refusing is all that is done. So less is read as
 * soon as more than a quarter of a turn's frames are late, or a turn takes twice the delay: halved,
 * down to what any connection may always send. It grows again by quarters while turns are short and
 * nothing is late. What is not read waits in the kernel, and then at the client, who may give up
 * there at no cost to us. */
#include "net_internal.h"

enum { READ_LEAST = 4 << 10, LATE_SHARE = 4, GROW_SHARE = 4 };

static uint32_t bounded(uint64_t size)
{
    return size < READ_LEAST ? READ_LEAST : size > TURN_READ_MAX ? TURN_READ_MAX : (uint32_t)size;
}

void net_pace(struct net *net, uint64_t begin_ns, uint32_t count, uint32_t late)
{
    const uint64_t delay_ns = net->options.delay_ns;
    if (delay_ns == 0 || net->is_suspended) {
        return; /* a suspended turn's length says nothing of the load */
    }
    const uint64_t took_ns = uv_hrtime() - begin_ns;
    if (late > count / LATE_SHARE || took_ns > 2 * delay_ns) {
        net->read_max = bounded(net->read_max / 2);
    } else if (late == 0 && took_ns < delay_ns) {
        net->read_max = bounded(net->read_max + net->read_max / GROW_SHARE);
    }
}
