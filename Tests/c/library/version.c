/* The library reports the version that the header has. */
#include "check.h"

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
    CHECK(json_string_length(json_object_get(info, "swift")) > 0);
    CHECK_JSON(json_object_get(info, "worker_types"),
               json_pack("[ssssss]", "code", "subprocess", "docker", "notebook", "nbdocker", "slurm"));
    json_decref(info);
    CHECK(fw_build_info() == fw_build_info());
    return check_done();
}
