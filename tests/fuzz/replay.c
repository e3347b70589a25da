// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer: replay <seed> <count> [<folder or file> ...]. First every file, then count
// inputs drawn from the seed. A finding ends it, and the last line says which input that was; a drawn one is kept in
// the file "finding" beside the program.

#include <fuzz.h>

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX 4096

static uint8_t buffer[1 << 20];
static size_t length;
static char name[PATH_MAX]; // of the input that runs
static char kept[PATH_MAX]; // where a drawn one goes; "" for a file
static const char *program;
static unsigned long inputs;

static void on_abort(int number)
{
    FILE *file = kept[0] ? fopen(kept, "wb") : NULL;

    if (file != NULL) {
        fwrite(buffer, 1, length, file);
        fclose(file);
    }
    fprintf(stderr, "input: %s\n", name);
    signal(number, SIG_DFL);
    raise(number);
}

static void run(void)
{
    // A copy of its exact size, so that AddressSanitizer sees a read behind its end.
    uint8_t *copy = malloc(length > 0 ? length : 1);

    memcpy(copy, buffer, length);
    (void)LLVMFuzzerTestOneInput(copy, length);
    free(copy);
    inputs++;
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    length = fread(buffer, 1, sizeof(buffer), file);
    fclose(file);
    snprintf(name, sizeof(name), "%s", path);
    run();
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_path(const char *path)
{
    struct dirent **entries;
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        run_file(path);
        return;
    }
    int count = scandir(path, &entries, is_file, alphasort);
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];
        snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        run_file(file);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static uint64_t next(uint64_t *state) // xorshift64*
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

// One input in four is of zeroes, small numbers and all ones as often as of anything else.
static void run_drawn(uint64_t seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    bool plain = next(&state) % 4 != 0;

    length = next(&state) % INPUT_MAX;
    for (size_t i = 0; i < length; i++) {
        uint64_t drawn = next(&state) >> 16;
        static const uint8_t favourites[] = {0, 1, 2, 4, 0x7f, 0x80, 0xfe, 0xff};
        buffer[i] = plain || drawn & 0x100 ? (uint8_t)drawn : favourites[drawn >> 9 & 7];
    }
    snprintf(name, sizeof(name), "seed %llu, kept in %s.finding", (unsigned long long)seed, program);
    snprintf(kept, sizeof(kept), "%s.finding", program);
    run();
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s <seed> <count> [<folder or file> ...]\n", argv[0]);
        return 2;
    }
    program = argv[0];
    signal(SIGABRT, on_abort);
    for (int i = 3; i < argc; i++)
        run_path(argv[i]);
    uint64_t seed = strtoull(argv[1], NULL, 0), count = strtoull(argv[2], NULL, 0);
    for (uint64_t i = 0; i < count; i++)
        run_drawn(seed + i);
    printf("%lu inputs\n", inputs);
    return 0;
}
