/* Notes which files a job of the pipeline opens to read, whatever library opens them: preloaded, it writes a line each
   to $ONTOGENY_AUDIT/{rule}. file_notes.py builds it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int notes = -1;

__attribute__((constructor)) static void begin(void) {
    char line[8192], path[4096], *rule, *end;
    const char *folder = getenv("ONTOGENY_AUDIT");
    int file = folder ? (int)(((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))("/proc/self/cmdline", O_RDONLY)) : -1;
    if (file < 0) return;
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    for (ssize_t i = 0; i < length; i++) if (!line[i]) line[i] = ' ';
    line[length > 0 ? length : 0] = 0;
    rule = strstr(line, "snakemake/scripts/");
    if (!rule || !(rule = strchr(rule + 18, '.')) || !(end = strstr(++rule, ".py"))) return;
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)(end - rule), rule);
    notes = ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
}

static void note(const char *path, int flags) {
    char line[8192], here[4096];
    if (notes < 0 || !path || (flags & O_ACCMODE) == O_WRONLY || (flags & (O_DIRECTORY | O_CREAT | O_TRUNC))) return;
    int length = path[0] == '/' || !getcwd(here, sizeof here) ? snprintf(line, sizeof line, "%s\n", path)
                                                               : snprintf(line, sizeof line, "%s/%s\n", here, path);
    if (length > 0 && length < (int)sizeof line && write(notes, line, length) < 0) return;
}

#define OPENED(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
        note(path, flags); \
        return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); \
    }
#define OPENED_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
        if (folder == AT_FDCWD || *path == '/') note(path, flags); \
        return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name))(folder, path, flags, mode); \
    }
#define STREAMED(name) \
    FILE *name(const char *path, const char *mode) { \
        note(path, mode && mode[0] == 'r' ? O_RDONLY : O_WRONLY); \
        return ((FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, #name))(path, mode); \
    }

OPENED(open)
OPENED(open64)
OPENED_AT(openat)
OPENED_AT(openat64)
STREAMED(fopen)
STREAMED(fopen64)
