/* Reads time zones from the system's tables. */
#include "zone_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char system_folder[] = "/usr/share/zoneinfo";

enum { NAME_MAX_BYTES = 63, FOLDER_MAX = 255 };

/* Zones in use: a list, as there are few. */
struct zone_entry {
    struct zone_entry *next;
    struct zone *zone;
    char name[NAME_MAX_BYTES + 1];
};

struct zone_files {
    struct zone_entry *first;
    char folder[FOLDER_MAX + 1];
};

enum err zone_files_new(const char *folder, struct zone_files **out)
{
    const char *from = folder ? folder : system_folder;
    *out = calloc(1, sizeof **out);
    if (!*out || strlen(from) > FOLDER_MAX) {
        free(*out);
        return ERR_NOMEM;
    }
    memcpy((*out)->folder, from, strlen(from));
    return ERR_OK;
}

void zone_files_free(struct zone_files *files)
{
    while (files && files->first) {
        struct zone_entry *entry = files->first;
        files->first = entry->next;
        zone_free(entry->zone);
        free(entry);
    }
    free(files);
}

/* Letters, digits and + - _ in parts between single slashes: nothing that leads elsewhere. */
static bool is_name(const char *name)
{
    char before = '/';
    for (const char *at = name; *at; at++) {
        bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        bool is_other = (*at >= '0' && *at <= '9') || *at == '+' || *at == '-' || *at == '_';
        bool is_slash = *at == '/' && before != '/';
        if (!is_letter && !is_other && !is_slash) {
            return false;
        }
        before = *at;
    }
    return before != '/';
}

static struct zone *load(const struct zone_files *files, const char *name)
{
    uint8_t bytes[ZONE_FILE_MAX];
    char path[FOLDER_MAX + NAME_MAX_BYTES + 2];
    struct zone *zone = NULL;
    snprintf(path, sizeof path, "%s/%s", files->folder, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return NULL;
    }
    ssize_t size = read(file, bytes, sizeof bytes);
    close(file);
    return size > 0 && zone_new(bytes, (size_t)size, &zone) == ERR_OK ? zone : NULL;
}

const struct zone *zone_files_find(struct zone_files *files, const char *name)
{
    struct zone_entry *entry = files->first;
    while (entry && strcmp(entry->name, name) != 0) {
        entry = entry->next;
    }
    if (entry) {
        return entry->zone;
    }
    if (strlen(name) > NAME_MAX_BYTES || !is_name(name)) {
        return NULL;
    }
    struct zone *zone = load(files, name);
    entry = zone ? calloc(1, sizeof *entry) : NULL;
    if (!entry) {
        zone_free(zone);
        return NULL;
    }
    memcpy(entry->name, name, strlen(name));
    entry->zone = zone;
    entry->next = files->first;
    files->first = entry;
    return zone;
}

bool zone_files_are_there(const struct zone_files *files)
{
    return access(files->folder, R_OK) == 0;
}
