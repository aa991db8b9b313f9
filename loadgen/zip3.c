/* The rows stand in zip3_rows.inc, which zip3_make.py writes. */
#include "zip3.h"

const struct zip3 zip3_rows[] = {
#include "zip3_rows.inc"
};

const uint32_t zip3_count = sizeof zip3_rows / sizeof *zip3_rows;
