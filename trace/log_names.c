// SPDX-License-Identifier: Apache-2.0
// The names of the log's levels and classes.
#include <hv/log.h>

#include <hv/string.h>

// A class's name comes from LOG_CLASS_TABLE, and so each class has one.
#define CLASS_NAME(id, name) [LOG_##id] = name,

static const char *const level_names[LOG_LEVEL_COUNT] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};
static const char *const class_names[LOG_CLASS_COUNT] = {LOG_CLASS_TABLE(CLASS_NAME)};

// A number out of range gives "?": it may come from the ring of an earlier boot, which may be damaged.
const char *log_level_name(unsigned int level)
{
    return level < LOG_LEVEL_COUNT ? level_names[level] : "?";
}

const char *log_class_name(unsigned int class)
{
    return class < LOG_CLASS_COUNT ? class_names[class] : "?";
}

// The index of name in names, or count when it is not there.
static unsigned int find_name(const char *const *names, unsigned int count, const char *name)
{
    unsigned int i = 0;

    while (i < count && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

// LOG_LEVEL_COUNT when no level has this name: a person may have typed anything.
enum log_level log_level_find(const char *name)
{
    return (enum log_level)find_name(level_names, LOG_LEVEL_COUNT, name);
}

// LOG_CLASS_COUNT when no class has this name.
enum log_class log_class_find(const char *name)
{
    return (enum log_class)find_name(class_names, LOG_CLASS_COUNT, name);
}
