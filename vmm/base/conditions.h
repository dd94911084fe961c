// SPDX-License-Identifier: GPL-2.0-or-later
// The conditions of a measurement: what a table or a file of figures says about where they are
// from. scripts/conditions.py has the same keys and rules; docs/experiments.md describes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace crosswalk::vmm {

// Which program was started, and how.
struct Invocation {
  std::string version, commit;
  std::vector<std::string> arguments;  // argv
};

// The load average of the last minute (proc(5)). It can be read again where no file can be opened
// any more.
class LoadAverage {
 public:
  LoadAverage();
  ~LoadAverage();
  LoadAverage(const LoadAverage&) = delete;
  LoadAverage& operator=(const LoadAverage&) = delete;
  std::optional<double> read() const;  // nothing without /proc

 private:
  int fd_;
};

class Conditions {
 public:
  using Value = std::variant<uint64_t, double, std::string>;

  // At the start of what is measured.
  explicit Conditions(const Invocation& invocation);
  // At its end. Needs no more than pread(2).
  void end() { load_end_ = load_.read(); }

  // Keys and values; what could not be found out is "unknown", a load average is left out then.
  std::vector<std::pair<std::string, Value>> rows() const;
  // The head of a table: some lines.
  std::string text() const;
  // Whether the host had more to run, at the start or at the end, than it has CPUs. The guest's
  // `guest_cpus` are counted in; the load average at the start does not have them yet.
  bool host_is_busy(unsigned guest_cpus) const;

 private:
  std::string version_, commit_, command_, date_, cpu_ = "unknown", kernel_ = "unknown", kvm_;
  unsigned cpus_ = 0;
  bool virtual_ = false;
  LoadAverage load_;
  std::optional<double> load_start_, load_end_;
};

// KVM's module and whether it uses nested paging, from a folder like /sys/module.
std::string describe_kvm(const std::string& modules);
// The arguments as a shell takes them.
std::string as_shell_command(const std::vector<std::string>& arguments);
// What such an average says, see host_is_busy().
bool is_busy(double load_average, unsigned guest_cpus, unsigned host_cpus);

}  // namespace crosswalk::vmm
