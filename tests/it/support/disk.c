/* A disk that fails on command, preloaded into a server (LD_PRELOAD). While the file that WEFT_TEST_DISK names is
 * there, whatever is to be synced fails with EIO, or, if the file is not empty, waits until it is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int fails(void) {
    const char *order = getenv("WEFT_TEST_DISK");
    struct stat found;
    while (order && stat(order, &found) == 0) {
        if (found.st_size == 0) {
            errno = EIO;
            return 1;
        }
        usleep(5000);
    }
    return 0;
}

int fsync(int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    return fails() ? -1 : real(file);
}

int fdatasync(int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    return fails() ? -1 : real(file);
}

int sync_file_range(int file, off64_t from, off64_t count, unsigned int flags) {
    int (*real)(int, off64_t, off64_t, unsigned int) = dlsym(RTLD_NEXT, "sync_file_range");
    return fails() ? -1 : real(file, from, count, flags);
}
