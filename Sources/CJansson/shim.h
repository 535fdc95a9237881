/* What Swift cannot see of jansson: it imports neither macros nor variadic functions. */
#ifndef FWJ_SHIM_H
#define FWJ_SHIM_H

#include <jansson.h>

static inline int fwj_type(const json_t *_Nonnull json) { return (int)json_typeof(json); }

static inline int fwj_is_true(const json_t *_Nonnull json) { return json_is_true(json); }

/* The text of an error: Swift imports the array as a tuple of 160 elements. */
static inline const char *_Nonnull fwj_error_text(const json_error_t *_Nonnull error) { return error->text; }

static inline int fwj_error_code(const json_error_t *_Nonnull error) { return (int)json_error_code(error); }

#endif
