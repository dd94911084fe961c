// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/conditions.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "translator/base/host_cpus.h"

namespace crosswalk::vmm {
namespace {

// The first line of /proc/cpuinfo with this key, what is behind its colon.
std::string cpuinfo(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos && line.starts_with(key + "\t")) return line.substr(colon + 2);
  }
  return "";
}

}  // namespace

LoadAverage::LoadAverage() : fd_(::open("/proc/loadavg", O_RDONLY | O_CLOEXEC)) {}

LoadAverage::~LoadAverage() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<double> LoadAverage::read() const {
  char text[64];
  const ssize_t count = fd_ < 0 ? -1 : ::pread(fd_, text, sizeof text - 1, 0);
  if (count <= 0) return std::nullopt;
  text[count] = '\0';
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  return end == text ? std::nullopt : std::optional(value);
}

std::string describe_kvm(const std::string& modules) {
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(modules, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("kvm_")) names.push_back(name);
  }
  if (names.empty()) return "none";
  for (const auto& [name, parameter] : {std::pair{"kvm_amd", "npt"}, std::pair{"kvm_intel", "ept"}}) {
    std::ifstream file(fmt::format("{}/{}/parameters/{}", modules, name, parameter));
    std::string value;
    if (file >> value) return fmt::format("{}, nested paging {}", name, value == "Y" || value == "1" ? "on" : "off");
  }
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string as_shell_command(const std::vector<std::string>& arguments) {
  std::string command;
  for (const std::string& word : arguments) {
    if (!command.empty()) command += ' ';
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                            "0123456789_@%+=:,./-") == std::string::npos;
    if (plain) {
      command += word;
      continue;
    }
    command += '\'';
    for (const char c : word) command += c == '\'' ? std::string("'\"'\"'") : std::string(1, c);
    command += '\'';
  }
  return command;
}

bool is_busy(double load_average, unsigned guest_cpus, unsigned host_cpus) {
  return load_average + guest_cpus > host_cpus;
}

Conditions::Conditions(const Invocation& invocation)
    : version_(invocation.version),
      commit_(invocation.commit),
      command_(as_shell_command(invocation.arguments)),
      date_(fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))),
      cpus_(count_host_cpus()),
      load_start_(load_.read()) {
  if (const std::string name = cpuinfo("model name"); !name.empty()) cpu_ = name;
  std::istringstream flags(cpuinfo("flags"));
  for (std::string flag; flags >> flag;) virtual_ |= flag == "hypervisor";
  utsname names;
  if (::uname(&names) == 0) kernel_ = names.release;
  kvm_ = ::access("/dev/kvm", F_OK) == 0 ? describe_kvm("/sys/module") : "none";
}

std::vector<std::pair<std::string, Conditions::Value>> Conditions::rows() const {
  std::vector<std::pair<std::string, Value>> rows = {
      {"version", version_},    {"commit", commit_},
      {"date", date_},          {"command", command_},
      {"host_cpu", cpu_},       {"host_cpus", uint64_t{cpus_}},
      {"host_kernel", kernel_}, {"host_virtual", std::string(virtual_ ? "yes" : "no")},
      {"host_kvm", kvm_}};
  if (load_start_) rows.emplace_back("load_start", *load_start_);
  if (load_end_) rows.emplace_back("load_end", *load_end_);
  return rows;
}

std::string Conditions::text() const {
  const auto shown = [](const std::optional<double>& load) { return load ? fmt::format("{:.2f}", *load) : "unknown"; };
  return fmt::format(
      "program       crosswalk {}, commit {}\n"
      "date (UTC)    {}\n"
      "host          {}, {} CPUs{}, Linux {}, KVM: {}\n"
      "load average  {} at the start, {} at the end\n"
      "command       {}\n",
      version_, commit_, date_, cpu_, cpus_, virtual_ ? " of a virtual machine" : "", kernel_, kvm_, shown(load_start_),
      shown(load_end_), command_);
}

bool Conditions::host_is_busy(unsigned guest_cpus) const {
  return (load_start_ && is_busy(*load_start_, guest_cpus, cpus_)) || (load_end_ && is_busy(*load_end_, 0, cpus_));
}

}  // namespace crosswalk::vmm
