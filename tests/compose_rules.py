"""The container contract for what Compose resolves: each rule is a function that says whether a service breaks it."""

import re


def can_be_written(service):
    return not service.get("read_only")


def keeps_capabilities(service):
    return service.get("cap_drop") != ["ALL"] or bool(service.get("cap_add"))


def may_gain_privileges(service):
    return service.get("security_opt") != ["no-new-privileges:true"]


def is_privileged(service):
    return bool(service.get("privileged") or service.get("devices"))


def has_no_init(service):
    return not service.get("init")


def has_no_memory_limit(service):
    return not int(service.get("mem_limit", 0)) or service.get("memswap_limit") != service["mem_limit"]


def has_no_process_limit(service):
    return service.get("pids_limit", 0) <= 0


def has_no_limit_of_open_files(service):
    limit = service.get("ulimits", {}).get("nofile", {})
    return not 0 < limit.get("hard", 0) <= 1 << 16 or limit.get("soft") != limit["hard"]


def holds_a_secret_in_its_environment(service):
    return any(
        value
        for name, value in service.get("environment", {}).items()
        if re.search("SECRET|PASSWORD|(JWT|API)_KEY", name) and not name.endswith("_FILE")
    ) or any(
        re.search(r"://[^/@\s]+:[^/@\s]+@", str(value)) for value in service.get("environment", {}).values()
    )


def mounts_the_host(service):
    return any(volume["type"] == "bind" for volume in service.get("volumes", []))


def shares_the_hosts_name_spaces(service):
    return any(service.get(name) for name in ("network_mode", "pid", "ipc", "uts", "userns_mode"))


def is_open_to_the_network(service):
    return any(port.get("host_ip") != "127.0.0.1" for port in service.get("ports", []))


def comes_from_elsewhere(service):
    image = service.get("image", "")
    return service.get("pull_policy") != "never" or not (
        image.startswith("serverlab/") and image.endswith(":dev")
    )


def logs_without_end(service):
    return "max-size" not in service.get("logging", {}).get("options", {})


RULES = (
    can_be_written,
    keeps_capabilities,
    may_gain_privileges,
    is_privileged,
    has_no_init,
    has_no_memory_limit,
    has_no_process_limit,
    has_no_limit_of_open_files,
    holds_a_secret_in_its_environment,
    mounts_the_host,
    shares_the_hosts_name_spaces,
    is_open_to_the_network,
    comes_from_elsewhere,
    logs_without_end,
)


def broken(service):
    """The names of the rules that a service breaks."""
    return [rule.__name__ for rule in RULES if rule(service)]
