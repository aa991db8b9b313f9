/* Writing one event: its head, its fields, and whether anybody asked for it. */
#include <string.h>

#include "decimal.h"
#include "events_internal.h"

bool event_begin(struct events *events, enum event type)
{
    const uint32_t n = events->n++;
    if (!(events->types >> type & 1)) {
        return false;
    }
    events->mark = writer_open(&events->writer);
    events->fields = 0;
    events->is_match = events->nodes == NULL;
    event_int(events, "lsn", (int64_t)events->lsn);
    event_int(events, "n", n);
    event_int(events, "at", (int64_t)events->at_ms);
    event_string(events, "type", event_type_text(type));
    return true;
}

void event_end(struct events *events)
{
    struct writer *writer = &events->writer;
    if (writer->is_full) {
        return;
    }
    if (!events->is_match) {
        writer->at = writer->begin + events->mark;
        return;
    }
    writer_map_close(writer, events->mark, events->fields);
    events->count++;
}

void event_name(struct events *events, const char *name)
{
    writer_string(&events->writer, name);
    events->fields++;
}

void event_int(struct events *events, const char *name, int64_t value)
{
    put_int(&events->writer, name, value);
    events->fields++;
}

void event_string(struct events *events, const char *name, const char *value)
{
    put_string(&events->writer, name, value);
    events->fields++;
}

void event_text(struct events *events, const char *name, const struct effect_text *text)
{
    put_text(&events->writer, name, text->at, text->len);
    events->fields++;
}

void event_bool(struct events *events, const char *name, bool value)
{
    put_bool(&events->writer, name, value);
    events->fields++;
}

void event_node(struct events *events, const char *name, uint16_t node)
{
    entry_node(events, name, node);
    events->fields++;
}

void event_item(struct events *events, const char *name, uint32_t item)
{
    entry_item(events, name, item);
    events->fields++;
}

void event_fulfilment(struct events *events, const char *name, const struct effect_text *id,
                      uint32_t part)
{
    entry_fulfilment(events, name, id, part);
    events->fields++;
}

void entry_node(struct events *events, const char *name, uint16_t node)
{
    CHECK(node < events->service->tables.network.count);
    const struct node *what = &events->service->tables.network.nodes[node];
    put_text(&events->writer, name, what->id, what->id_len);
    events->is_match = events->is_match || (events->nodes[node / 64] >> node % 64 & 1);
}

void entry_item(struct events *events, const char *name, uint32_t item)
{
    CHECK(item < events->service->tables.catalogue.count);
    const struct item *what = &events->service->tables.catalogue.items[item];
    put_text(&events->writer, name, what->id, what->id_len);
}

void entry_fulfilment(struct events *events, const char *name, const struct effect_text *id,
                      uint32_t part)
{
    char text[ID_MAX + 16];
    CHECK(id->len <= ID_MAX);
    memcpy(text, id->at, id->len);
    text[id->len] = '/';
    put_text(&events->writer, name, text,
             id->len + 1 + decimal_put(text + id->len + 1, part + 1));
}
