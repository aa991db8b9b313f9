/* Intrusive rings: each list of connections costs two words in the connection. */
#include "net_internal.h"

void net_link_init(struct net_link *head)
{
    head->prev = head->next = head;
}

bool net_link_is_empty(const struct net_link *head)
{
    return head->next == head;
}

void net_link_add(struct net_link *head, struct net_link *link)
{
    if (link->next) {
        return;
    }
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

void net_link_take(struct net_link *link)
{
    if (!link->next) {
        return;
    }
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}
