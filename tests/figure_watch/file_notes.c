/* Notes which files a process opens to read, whatever library opens them: preloaded, it writes a line each to the file
   that note_into names. file_notes.py builds it and calls that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static int notes = -1;

void note_into(const char *path) {
    if (notes < 0)
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
