/* What twins.c has for echo.c. */
#ifndef TWIN_H
#define TWIN_H

struct io_uring;
struct twin;

struct io_uring *twin_ring(struct twin *twin);
/* The buffer of 4 KiB of a piece of work. */
char *twin_buffer(struct twin *twin, unsigned index);

#endif
