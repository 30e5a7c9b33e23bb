/* The only C header that Swift sees. It names no type of liburing or of the kernel's headers: importing those clashes with
 * swift-system's own C module and fails every clean build (docs/decisions/0001-opaque-c-header.md). */
#ifndef CLIBURING_H
#define CLIBURING_H

#include "syslet.h"
#include "syslet_call.h"
#include "syslet_numbers.h"
#include "syslet_poll.h"
#include "syslet_rights.h"
#include "syslet_ring.h"

#endif
