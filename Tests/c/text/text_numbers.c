/* Integers from -2^63 to 2^63 - 1 keep their value. Where an integer is needed, all other numbers are refused. */
#include "texts.h"

static void stays(const char *number)
{
    fw_error *error = NULL;
    char *back = NULL;
    fw_context *context = check_context("{}");
    CHECK_OK(fw_context_set(context, "n", number, FW_ZERO_TERMINATED, &error), &error);
    CHECK_OK(fw_context_get(context, "n", &back, &error), &error);
    CHECK_STR(back, number);
    fw_string_free(back);
    fw_context_free(context);
}

/** An output_limit, or another option, that is refused. */
static void refused(const char *option, const char *value, const char *part)
{
    char text[256], path[64];
    fw_error *error = NULL;
    snprintf(text, sizeof text, "{\"name\": \"w\", \"type\": \"subprocess\", \"options\": {\"%s\": %s}}", option,
             value);
    snprintf(path, sizeof path, "/options/%s", option);
    if (!CHECK_REFUSED(read_worker(text, FW_ZERO_TERMINATED, &error), FW_E_DOCUMENT, &error, path, part))
        fprintf(stderr, "    %s\n", text);
}

static void accepted(const char *option, const char *value)
{
    char text[256];
    snprintf(text, sizeof text, "{\"name\": \"w\", \"type\": \"subprocess\", \"options\": {\"%s\": %s}}", option,
             value);
    fw_worker_free(check_worker(text));
}

static void stays_real(const char *text, double number)
{
    fw_error *error = NULL;
    char *back = NULL;
    fw_context *context = check_context("{}");
    CHECK_OK(fw_context_set(context, "n", text, FW_ZERO_TERMINATED, &error), &error);
    CHECK_OK(fw_context_get(context, "n", &back, &error), &error);
    json_t *value = json_loads(back, JSON_DECODE_ANY, NULL);
    CHECK(json_is_real(value));
    CHECK(json_real_value(value) == number);
    json_decref(value);
    fw_string_free(back);
    fw_context_free(context);
}

int main(void)
{
    stays("0");
    stays("-1");
    stays("9223372036854775807");
    stays("-9223372036854775808");
    stays_real("0.1", 0.1);
    stays_real("1.0", 1.0);
    stays_real("1e300", 1e300);
    stays_real("5e-324", 5e-324);

    accepted("output_limit", "0");
    accepted("output_limit", "9223372036854775807");
    refused("output_limit", "-1", "-1");
    refused("output_limit", "-9223372036854775808", "-9223372036854775808");
    refused("output_limit", "1.0", "integer");
    refused("output_limit", "\"1\"", "integer");
    refused("output_limit", "null", "null");

    accepted("grace", "0");
    accepted("grace", "0.001");
    accepted("grace", "86400");
    refused("grace", "-0.001", "-0.001");
    refused("grace", "86400.5", "86400");
    refused("grace", "1e300", "86400");
    refused("grace", "9223372036854775807", "9223372036854775807");
    refused("grace", "true", "true");
    return check_done();
}
