/* The library reports the version that the header has, and the glibc that it needs. */
#define _GNU_SOURCE
#include "check.h"

/** The highest version of glibc among the symbols that the file of the library needs. */
static void needed_glibc(char *text, int size)
{
    FILE *listed = popen("objdump -T \"$CHECK_LIBRARY\" | grep -o 'GLIBC_2[.][0-9]*' | sort -u -V | tail -n 1", "r");
    REQUIRE(listed != NULL);
    REQUIRE(fgets(text, size, listed) != NULL);
    REQUIRE(pclose(listed) == 0);
    text[strcspn(text, "\n")] = 0;
}

int main(void)
{
    CHECK_STR(fw_version(), FW_VERSION);
    CHECK_INT(fw_abi_version(), FW_ABI_VERSION);
    CHECK(fw_version() == fw_version());

    char numbers[64];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", FW_VERSION_MAJOR, FW_VERSION_MINOR, FW_VERSION_PATCH);
    CHECK_STR(FW_VERSION, numbers);

    json_error_t place;
    json_t *info = json_loads(fw_build_info(), JSON_REJECT_DUPLICATES, &place);
    REQUIRE(json_is_object(info));
    CHECK_STR(json_string_value(json_object_get(info, "version")), FW_VERSION);
    CHECK(json_is_integer(json_object_get(info, "abi_version")));
    CHECK_INT(json_integer_value(json_object_get(info, "abi_version")), FW_ABI_VERSION);
    CHECK_STR(json_string_value(json_object_get(info, "jansson")), jansson_version_str());
    char needed[64];
    needed_glibc(needed, sizeof needed);
    CHECK_STR(json_string_value(json_object_get(info, "glibc")), needed + strlen("GLIBC_"));
    CHECK(json_string_length(json_object_get(info, "swift")) > 0);
    CHECK_JSON(json_object_get(info, "worker_types"),
               json_pack("[ssssss]", "code", "subprocess", "docker", "notebook", "nbdocker", "slurm"));
    json_decref(info);
    CHECK(fw_build_info() == fw_build_info());
    return check_done();
}
