/* The relaxed plan: each node taken for a part, of each item the shares sum to one or more. */
#include "quality_gap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "quality_gap.lp"
#define ANSWER  "quality_gap.out"

bool quality_gap_can(void)
{
    return system("glpsol --version >/dev/null 2>&1") == 0;
}

static uint32_t free_of(const struct quality_problem *problem, uint32_t node, uint32_t item)
{
    return problem->free[(size_t)node * problem->items + item];
}

static void write_item(FILE *file, const struct quality_problem *problem, uint32_t item)
{
    fprintf(file, " i%u:", item);
    for (uint32_t node = 0; node < problem->nodes; node++) {
        uint32_t free = free_of(problem, node, item);
        uint32_t demand = problem->demand[item];
        if (free >= demand) {
            fprintf(file, " + x%u\n", node);
        } else if (free > 0) {
            fprintf(file, " + %.17g x%u\n", (double)free / demand, node);
        }
    }
    fprintf(file, " >= 1\n");
}

/* parts: 0 = as few nodes as can be, else fewest metres of so many. */
static bool write_program(const struct quality_problem *problem, uint32_t parts)
{
    FILE *file = fopen(PROGRAM, "w");
    if (!file) {
        return false;
    }
    fprintf(file, "Minimize\n goal:");
    for (uint32_t node = 0; node < problem->nodes; node++) {
        fprintf(file, " + %u x%u\n", parts ? problem->metres[node] : 1, node);
    }
    fprintf(file, "Subject To\n");
    for (uint32_t item = 0; item < problem->items; item++) {
        write_item(file, problem, item);
    }
    for (uint32_t node = 0; node < problem->nodes && parts; node++) {
        fprintf(file, "%s + x%u\n", node ? "" : " parts:", node);
    }
    if (parts) {
        fprintf(file, " = %u\n", parts);
    }
    fprintf(file, "Bounds\n");
    for (uint32_t node = 0; node < problem->nodes; node++) {
        fprintf(file, " x%u <= 1\n", node);
    }
    fprintf(file, "End\n");
    return fclose(file) == 0;
}

/* The value that glpsol proved, from its report. */
static bool read_answer(double *value)
{
    char line[256];
    bool is_optimal = false;
    bool has_value = false;
    FILE *file = fopen(ANSWER, "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *equals = strchr(line, '=');
        is_optimal = is_optimal || (strncmp(line, "Status:", 7) == 0 && strstr(line, "OPTIMAL"));
        if (strncmp(line, "Objective:", 10) == 0 && equals) {
            *value = strtod(equals + 1, NULL);
            has_value = true;
        }
    }
    if (file) {
        fclose(file);
    }
    return is_optimal && has_value;
}

static bool solve(const struct quality_problem *problem, uint32_t parts, double *value)
{
    bool is_solved =
        write_program(problem, parts) &&
        system("glpsol --lp " PROGRAM " --tmlim 20 -o " ANSWER " >/dev/null 2>&1") == 0 &&
        read_answer(value);
    remove(PROGRAM);
    remove(ANSWER);
    return is_solved;
}

bool quality_gap_parts(const struct quality_problem *problem, uint32_t *parts)
{
    double value;
    if (!solve(problem, 0, &value)) {
        return false;
    }
    *parts = (uint32_t)ceil(value - 1e-6);
    return true;
}

bool quality_gap_metres(const struct quality_problem *problem, uint32_t parts, double *metres)
{
    return solve(problem, parts, metres);
}
