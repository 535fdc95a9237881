/* The files of FlowWorker/Python/runner, as they are. */
#include "fws.h"

static const char boot[] = {
#embed "../FlowWorker/Python/runner/boot.py"
    , 0};
const char *const fws_runner_boot = boot;

static const char words[] = {
#embed "../FlowWorker/Python/runner/words.py"
};
static const char mask[] = {
#embed "../FlowWorker/Python/runner/mask.py"
};
static const char call[] = {
#embed "../FlowWorker/Python/runner/call.py"
};
static const char document[] = {
#embed "../FlowWorker/Python/runner/document.py"
};
static const char kernel[] = {
#embed "../FlowWorker/Python/runner/kernel.py"
};
static const char notebook[] = {
#embed "../FlowWorker/Python/runner/notebook.py"
};
static const char once[] = {
#embed "../FlowWorker/Python/runner/once.py"
};
static const char server[] = {
#embed "../FlowWorker/Python/runner/server.py"
};
static const char streams[] = {
#embed "../FlowWorker/Python/runner/streams.py"
};

static const fws_runner_file files[] = {
    {"words", words, sizeof words}, {"mask", mask, sizeof mask},       {"call", call, sizeof call},
    {"kernel", kernel, sizeof kernel}, {"document", document, sizeof document},
    {"once", once, sizeof once},       {"notebook", notebook, sizeof notebook},
    {"server", server, sizeof server}, {"streams", streams, sizeof streams},
    {0},
};
const fws_runner_file *const fws_runner_files = files;
