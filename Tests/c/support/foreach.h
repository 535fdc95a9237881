/* foreach.h - workflows with one step that has foreach. */
#ifndef FOREACH_H
#define FOREACH_H

#include "workflow.h"

/** A text with ' for ", to be released with free(). */
static inline char *foreach_quotes(char *text)
{
    for (char *quote = text; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    return text;
}

/** The document of a workflow with a step `s` of one command. `foreach` and `members` (or NULL) have ' for ". */
static inline char *foreach_document(const char *foreach, const char *members, const char *command)
{
    char *head = NULL;
    char *text = NULL;
    REQUIRE(asprintf(&head, "{'steps': [{'name': 's', 'foreach': {%s}%s%s, ", foreach, members ? ", " : "",
                     members ? members : "") > 0);
    REQUIRE(asprintf(&text, "%s\"action\": {\"environment\": \"\", \"commands\": [\"%s\"]}}]}", foreach_quotes(head),
                     command) > 0);
    free(head);
    return text;
}

/** All output of the steps of a result, in their order, to be released with free(). */
static inline char *foreach_output(const fw_result *result)
{
    char *all = strdup("");
    for (size_t step = 0; step < fw_result_step_count(result); step++) {
        const fw_result *one = fw_result_step(result, step);
        for (size_t i = 0; i < fw_result_output_count(one, FW_STDOUT); i++) {
            char *longer = NULL;
            REQUIRE(asprintf(&longer, "%s%s", all, fw_result_output(one, FW_STDOUT, i, NULL)) >= 0);
            free(all);
            all = longer;
        }
    }
    return all;
}

/** The JSON of a result; json_decref() it. */
static inline json_t *foreach_json(const fw_result *result)
{
    char *text = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_result_to_json(result, &text, &error), &error);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    fw_string_free(text);
    REQUIRE(json != NULL);
    return json;
}

#endif
