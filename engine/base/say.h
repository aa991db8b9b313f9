/* The operator's log: one line per event on stderr, UTC, `key=value` pairs, never a line per
 * request. Any thread. */
#ifndef BASE_SAY_H
#define BASE_SAY_H

enum say_level { SAY_DEBUG, SAY_INFO, SAY_WARN, SAY_ERROR };

/* Lines below level are dropped. Default SAY_INFO. */
void say_level_set(enum say_level level);

/* 2026-11-22T01:02:03.456Z info event=NAME text... ; event is a stable word. */
__attribute__((format(printf, 3, 4))) void say(enum say_level level, const char *event,
                                               const char *format, ...);

#endif
