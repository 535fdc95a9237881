/* Embeds the files of the folder Runner. */
#include "fws_runner.h"

static const char boot[] = {
#embed "Runner/boot.py"
    , 0};
const char *const fws_runner_boot = boot;

static const char messages[] = {
#embed "Runner/messages.py"
};
static const char mask[] = {
#embed "Runner/mask.py"
};
static const char call[] = {
#embed "Runner/call.py"
};
static const char checks[] = {
#embed "Runner/checks.py"
};
static const char client[] = {
#embed "Runner/client.py"
};
static const char document[] = {
#embed "Runner/document.py"
};
static const char engine[] = {
#embed "Runner/engine.py"
};
static const char forked[] = {
#embed "Runner/forked.py"
};
static const char import_path[] = {
#embed "Runner/import_path.py"
};
static const char kernel[] = {
#embed "Runner/kernel.py"
};
static const char notebook[] = {
#embed "Runner/notebook.py"
};
static const char once[] = {
#embed "Runner/once.py"
};
static const char server[] = {
#embed "Runner/server.py"
};
static const char streams[] = {
#embed "Runner/streams.py"
};

static const fws_runner_file files[] = {
    {"messages", messages, sizeof messages},
    {"mask", mask, sizeof mask},
    {"call", call, sizeof call},
    {"checks", checks, sizeof checks},
    {"client", client, sizeof client},
    {"document", document, sizeof document},
    {"engine", engine, sizeof engine},
    {"forked", forked, sizeof forked},
    {"import_path", import_path, sizeof import_path},
    {"kernel", kernel, sizeof kernel},
    {"notebook", notebook, sizeof notebook},
    {"once", once, sizeof once},
    {"server", server, sizeof server},
    {"streams", streams, sizeof streams},
    {0},
};
const fws_runner_file *const fws_runner_files = files;
