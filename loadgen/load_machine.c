/* From /proc/cpuinfo and uname. */
#include "load_machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

void load_machine_tell(char *out, size_t size)
{
    char line[256];
    char model[128] = "?";
    struct utsname names = {.sysname = "?", .release = "?"};
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    uname(&names);
    snprintf(out, size, "%s, %ld cores, %s %s", model, sysconf(_SC_NPROCESSORS_ONLN), names.sysname,
             names.release);
}
