// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/qmp.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace crosswalk::vmm {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxFiles = 8;

// `kind` is QMP's error class.
struct Refusal : std::runtime_error {
  Refusal(const char* kind_of, const std::string& text) : std::runtime_error(text), kind(kind_of) {}
  const char* kind;
};
constexpr const char* kGeneric = "GenericError";
constexpr const char* kNotFound = "CommandNotFound";

std::string line_of(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

Json error_of(const char* kind, const std::string& text) { return {{"error", {{"class", kind}, {"desc", text}}}}; }

template <class T>
T value_of(Result<T> result) {
  if (!result) throw Refusal(kGeneric, result.error());
  return std::move(*result);
}

}  // namespace

struct Qmp::Call {
  Qmp& qmp;
  MonitorTarget& target;
  const Json& arguments;
  std::vector<int>& fds;

  std::string text(const char* name, const std::string& otherwise = "") const {
    const auto found = arguments.find(name);
    if (found == arguments.end()) return otherwise;
    if (!found->is_string()) throw Refusal(kGeneric, std::string("'") + name + "' must be a string");
    return found->get<std::string>();
  }
  bool flag(const char* name) const {
    const auto found = arguments.find(name);
    if (found == arguments.end()) return false;
    if (!found->is_boolean()) throw Refusal(kGeneric, std::string("'") + name + "' must be true or false");
    return found->get<bool>();
  }
};

struct Qmp::Command {
  const char* name;
  std::initializer_list<const char*> arguments;
  Json (*run)(const Call& call);
};

std::span<const Qmp::Command> Qmp::commands() {
  static const Command kCommands[] = {
      {"qmp_capabilities", {"enable"}, [](const Call&) { return Json::object(); }},
      {"query-commands",
       {},
       [](const Call&) {
         Json names = Json::array();
         for (const Command& command : commands()) names.push_back({{"name", command.name}});
         return names;
       }},
      {"query-version",
       {},
       [](const Call& call) {
         return Json{{"package", call.qmp.version_}};
       }},
      {"query-status",
       {},
       [](const Call& call) {
         const std::string state = call.target.run_state();
         return Json{{"status", state}, {"running", state == "running"}};
       }},
      {"query-cpus-fast",
       {},
       [](const Call& call) {
         Json cpus = Json::array();
         for (unsigned i = 0; i < call.target.cpu_count(); ++i)
           cpus.push_back({{"cpu-index", i}, {"target", "arm"}, {"props", {{"core-id", i}}}});
         return cpus;
       }},
      {"stop",
       {},
       [](const Call& call) {
         if (value_of(call.target.pause())) call.qmp.event_(event_line("STOP"));
         return Json::object();
       }},
      {"cont",
       {},
       [](const Call& call) {
         if (value_of(call.target.resume())) call.qmp.event_(event_line("RESUME"));
         return Json::object();
       }},
      {"system_reset",
       {},
       [](const Call& call) {
         value_of(call.target.reset());
         call.qmp.event_(event_line("RESET"));
         return Json::object();
       }},
      {"system_powerdown",
       {},
       [](const Call& call) {
         call.target.press_power_button();
         call.qmp.event_(event_line("POWERDOWN"));
         return Json::object();
       }},
      {"quit",
       {},
       [](const Call& call) {
         call.target.quit();
         return Json::object();
       }},
      {"getfd",
       {"fdname"},
       [](const Call& call) {
         const std::string name = call.text("fdname");
         if (name.empty()) throw Refusal(kGeneric, "'fdname' is missing");
         if (call.fds.empty()) throw Refusal(kGeneric, "no file descriptor came with this line (SCM_RIGHTS)");
         call.qmp.drop_file(name);
         if (call.qmp.files_.size() >= kMaxFiles) throw Refusal(kGeneric, "too many files; use closefd");
         call.qmp.files_[name] = call.fds.back();
         call.fds.pop_back();
         return Json::object();
       }},
      {"closefd",
       {"fdname"},
       [](const Call& call) {
         if (!call.qmp.files_.contains(call.text("fdname"))) throw Refusal(kGeneric, "no such file");
         call.qmp.drop_file(call.text("fdname"));
         return Json::object();
       }},
      {"snapshot",
       {"fdname", "quit"},
       [](const Call& call) {
         int fd = -1;
         if (const std::string name = call.text("fdname"); !name.empty()) {
           const auto found = call.qmp.files_.find(name);
           if (found == call.qmp.files_.end()) throw Refusal(kGeneric, "no file '" + name + "'; hand it over by getfd");
           fd = found->second;
         }
         return Json{{"bytes", value_of(call.target.snapshot(fd, call.flag("quit")))}};
       }},
      {"query-stats", {}, [](const Call& call) { return Json::parse(value_of(call.target.statistics())); }},
      {"query-state",
       {},
       [](const Call& call) {
         return Json{{"text", value_of(call.target.state())}};
       }},
      {"send-break",
       {},
       [](const Call& call) {
         call.target.send_break();
         return Json::object();
       }},
  };
  return kCommands;
}

Qmp::Qmp(MonitorTarget& target, std::string version, std::function<void(const std::string&)> event)
    : target_(target), version_(std::move(version)), event_(std::move(event)) {}

Qmp::~Qmp() {
  for (const auto& [name, fd] : files_) close(fd);
}

void Qmp::drop_file(const std::string& name) {
  const auto found = files_.find(name);
  if (found == files_.end()) return;
  close(found->second);
  files_.erase(found);
}

std::string Qmp::greeting() const {
  return line_of({{"QMP",
                   {{"version", {{"qemu", {{"major", 7}, {"minor", 2}, {"micro", 0}}}, {"package", version_}}},
                    {"capabilities", Json::array()}}}});
}

std::string Qmp::event_line(const std::string& name) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return line_of({{"event", name}, {"timestamp", {{"seconds", now.tv_sec}, {"microseconds", now.tv_nsec / 1000}}}});
}

std::string Qmp::answer(std::string_view line, std::vector<int>& fds) {
  Json id, answer;
  try {
    const Json request = Json::parse(line);
    if (!request.is_object()) throw Refusal(kGeneric, "a command is an object: {\"execute\": NAME}");
    if (request.contains("id")) id = request["id"];
    for (const auto& [name, value] : request.items()) {
      if (name != "execute" && name != "arguments" && name != "id")
        throw Refusal(kGeneric, "a command has no member '" + name + "'");
    }
    if (!request.contains("execute") || !request["execute"].is_string())
      throw Refusal(kGeneric, "'execute' is missing: the name of a command");
    const std::string name = request["execute"].get<std::string>();
    const auto command = std::ranges::find(commands(), name, [](const Command& c) { return std::string(c.name); });
    if (command == commands().end())
      throw Refusal(kNotFound, "there is no command '" + name + "'; query-commands lists them");
    const Json arguments = request.value("arguments", Json::object());
    if (!arguments.is_object()) throw Refusal(kGeneric, "'arguments' must be an object");
    for (const auto& [argument, value] : arguments.items()) {
      if (std::ranges::find(command->arguments, argument, [](const char* a) { return std::string(a); }) ==
          command->arguments.end())
        throw Refusal(kGeneric, "'" + name + "' has no argument '" + argument + "'");
    }
    answer = {{"return", command->run({*this, target_, arguments, fds})}};
  } catch (const Refusal& refusal) {
    answer = error_of(refusal.kind, refusal.what());
  } catch (const Json::exception& problem) {
    answer = error_of(kGeneric, std::string("not a line of JSON: ") + problem.what());
  }
  for (const int fd : fds) close(fd);
  fds.clear();
  if (!id.is_null()) answer["id"] = id;
  return line_of(answer);
}

}  // namespace crosswalk::vmm
