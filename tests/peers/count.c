/* Loaded before a program (LD_PRELOAD), counts what it allocates and writes
 * "allocations bytes peak-KiB" to the file named by COUNT_TO when it ends. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static atomic_ullong calls, bytes;

static void *noted(void *p, size_t n) {
    calls++;
    bytes += n;
    return p;
}

void *malloc(size_t n) { return noted(__libc_malloc(n), n); }
void *calloc(size_t n, size_t m) { return noted(__libc_calloc(n, m), n * m); }
void *realloc(void *p, size_t n) { return noted(__libc_realloc(p, n), n); }

__attribute__((destructor)) static void tell(void) {
    unsigned long long c = calls, b = bytes, peak = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6)) peak = strtoull(line + 6, 0, 10);
    const char *to = getenv("COUNT_TO");
    FILE *out = to ? fopen(to, "w") : 0;
    if (out) fprintf(out, "%llu %llu %llu\n", c, b, peak), fclose(out);
}
