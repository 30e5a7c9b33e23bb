/* What the parity fuzzer needs from C: signal handlers, and a thread that does something a little later. */
#ifndef PARITY_FUZZ_H
#define PARITY_FUZZ_H

#include <stdint.h>

/* Makes a timer that interrupts the calling thread, and lets SIGPIPE and SIGXFSZ be counted. 0 or -errno. */
int test_alarm_make(void);
/* Interrupts that thread in `milliseconds`, and every 10 ms from then on; 0 stops it. */
void test_alarm_set(int milliseconds);
/* How often it was interrupted since the timer was set last. */
int test_alarm_count(void);
/* What to say, with status 98, if it is interrupted 2,000 times in a row: something turns round and round. */
void test_alarm_story(const char *story);

/* SIGPIPE and SIGXFSZ that this process was sent, and the number is 0 again. */
int test_take_signals(void);

/* Lets another thread make up to two calls, of seven words each (number and arguments), after `microseconds`. */
void test_later(int microseconds, const uint64_t *words, int count);
/* Waits until it has made them; one that waits is interrupted. */
void test_later_done(void);

/* Takes all processing off a terminal: reads as soon as `minimum` bytes are there or `tenths` of a second are over. 0 or -errno. */
int test_make_raw(int terminal, int minimum, int tenths);

/* Whether two ranges hold the same: the first position where they do not, or -1. */
long test_first_difference(const void *one, const void *other, long count);
/* A number that stands for the bytes. */
uint64_t test_hash(const void *bytes, long count);

/* The name of an error number, such as "EINVAL". */
const char *test_error_name(int number);

#endif
