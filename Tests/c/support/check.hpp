/*
 * check.hpp - what the programs in C++ use, as check.h is what those in C use.
 *
 * A check that fails prints its place, and the program goes on. main() ends with `return check_done();`.
 */
#ifndef CHECK_HPP
#define CHECK_HPP

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>

#include <flowworker.hpp>
#include <unistd.h>

#define CHECK(condition) check_true((condition), #condition, __FILE__, __LINE__)
/** Two values are equal; both can be printed. */
#define CHECK_EQUAL(got, want) check_equal((got), (want), #got, __FILE__, __LINE__)
#define CHECK_HAS(text, part) check_has((text), (part), #text, __FILE__, __LINE__)
/** The expression throws a flowworker::error of this status, whose text has the part. */
#define CHECK_THROWS(expression, code, part) \
    check_throws([&] { (void)(expression); }, flowworker::status::code, (part), #expression, __FILE__, __LINE__)

inline std::atomic<int> check_failures;

inline bool check_true(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        check_failures++;
        std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    }
    return holds;
}

template <class Got, class Want>
bool check_equal(const Got &got, const Want &want, const char *what, const char *file, int line)
{
    const bool same = got == want;
    check_true(same, what, file, line);
    if (!same)
        std::cerr << "    got  " << got << "\n    want " << want << "\n";
    return same;
}

inline bool check_has(std::string_view text, std::string_view part, const char *what, const char *file, int line)
{
    const bool has = text.find(part) != std::string_view::npos;
    check_true(has, what, file, line);
    if (!has)
        std::cerr << "    no \"" << part << "\" in: " << text.substr(0, 2000) << "\n";
    return has;
}

template <class Body>
bool check_throws(Body body, flowworker::status code, std::string_view part, const char *what, const char *file,
                  int line)
{
    try {
        body();
    } catch (const flowworker::error &thrown) {
        return check_equal(to_string(thrown.status()), to_string(code), what, file, line) &&
               check_has(thrown.what(), part, what, file, line);
    }
    return check_true(false, what, file, line);
}

/** A directory of this run, empty at first, that check_done() removes. */
inline const std::string &check_dir()
{
    static const std::string directory = [] {
        const char *base = std::getenv("TMPDIR");
        std::string name = std::string(base == nullptr ? "/tmp" : base) + "/flowworker-XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            std::perror(name.c_str());
            std::exit(1);
        }
        return name;
    }();
    return directory;
}

/** Waits until no process has check_dir() as its working directory, so that all steps that were given up have ended. */
inline void wait_until_deserted()
{
    const std::filesystem::path here = std::filesystem::canonical(check_dir());
    for (bool found = true; found; usleep(1000)) {
        found = false;
        std::error_code gone;
        for (const auto &entry : std::filesystem::directory_iterator("/proc"))
            found = found || std::filesystem::read_symlink(entry.path() / "cwd", gone) == here;
    }
}

inline int check_done()
{
    std::error_code ignored;
    std::filesystem::remove_all(check_dir(), ignored);
    if (check_failures > 0)
        std::fprintf(stderr, "%d checks failed\n", check_failures.load());
    return check_failures > 0 ? 1 : 0;
}

/** A step that runs one command. */
inline flowworker::step check_step(std::string_view command, std::string_view name = "s")
{
    return flowworker::step("{\"name\": " + flowworker::quote_json(name) +
                            ", \"action\": {\"environment\": \"\", \"commands\": [" + flowworker::quote_json(command) +
                            "]}}");
}

#endif
