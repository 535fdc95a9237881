/* A step has the name in its document, and the type that the keys of its action determine. */
#include "check.h"

static void is(const char *action, const char *type)
{
    char text[500];
    snprintf(text, sizeof text,
             "{\"name\": \"a \xC3\xA9 step\", \"files\": {\"inputs\": [], \"outputs\": [\"a/\"]},"
             " \"action\": %s}",
             action);
    fw_step *step = check_step(text);
    CHECK_STR(fw_step_name(step), "a \xC3\xA9 step");
    CHECK_STR(fw_step_type(step), type);
    const char *forever = fw_step_type(step);
    fw_step_free(step);
    CHECK_STR(forever, type);
}

int main(void)
{
    is("{\"environment\": \"python:3.11\", \"commands\": [\"true\", \"false\"]}", "container");
    is("{\"commands\": [], \"env\": {\"A\": 1}, \"environment\": \"\"}", "container");
    is("{\"func\": \"os.getcwd\"}", "code");
    is("{\"func\": \"f\", \"arg\": \"a\", \"variables\": [{\"arg\": \"x\", \"var\": \"y\"}]}", "code");
    is("{\"notebook\": \"n.ipynb\"}", "notebook");
    is("{\"notebook\": \"n.ipynb\", \"output\": \"o.ipynb\", \"params\": [\"p\"], \"requirements\": [\"numpy\"],"
       " \"variables\": []}",
       "notebook");
    return check_done();
}
