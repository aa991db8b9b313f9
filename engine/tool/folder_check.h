/* A data folder looked at offline, at the speed of the disk: snapshots, log, books. Nothing in it
 * is changed; no engine may have it meanwhile. One thread. */
#ifndef TOOL_FOLDER_CHECK_H
#define TOOL_FOLDER_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "err.h"
#include "tables.h"

/* Look at all of dir and say line by line what was found. tables: limits to load it with.
 * *is_sound_out: every byte that counts is as it was written, every state has its digest, and the
 * books balance. The work is done in a child process, so that tables which contradict themselves
 * (a cell whose reserved units are not the sum of its holds) are an answer here: a line in out, and
 * one on stderr that says what. Errors: the folder could not be looked at at all (said too). */
ERR_MUST_USE enum err folder_check(const char *dir, const struct tables_options *tables, FILE *out,
                                   bool *is_sound_out);

#endif
