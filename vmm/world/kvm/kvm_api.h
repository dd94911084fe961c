// SPDX-License-Identifier: GPL-2.0-or-later
// Thin checked wrappers of the KVM ioctls (Documentation/virt/kvm/api.rst). Errors have the name of
// the call and what errno says.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "translator/base/result.h"

namespace crosswalk::kvm {

// "WHAT: strerror".
Error system_error(const std::string& what);

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

using Cpuid = std::vector<kvm_cpuid_entry2>;
// Null when there is no such leaf.
const kvm_cpuid_entry2* find_leaf(const Cpuid& cpuid, uint32_t function, uint32_t index = 0);

// /dev/kvm.
class System {
 public:
  // The error says what to do about it.
  static Result<System> open();
  Result<int> check_extension(int capability) const;
  // The size of what Vcpu maps.
  Result<size_t> vcpu_run_bytes() const;
  Result<Cpuid> supported_cpuid() const;
  const FileDescriptor& fd() const { return fd_; }

 private:
  explicit System(FileDescriptor fd) : fd_(std::move(fd)) {}

  FileDescriptor fd_;
};

// What KVM_RUN came back with: the exits that this program knows, and Unexpected for every other.
enum class ExitKind : uint8_t {
  Port,         // KVM_EXIT_IO, an out instruction: `port`
  Interrupted,  // -EINTR, KVM_EXIT_INTR: a signal; run again
  HostFault,    // -EFAULT: the host page behind an access is not there or is read-only
  // KVM_EXIT_MMIO: an access to `gpa`, where there is no memory slot; or a store to where there is
  // one, by an instruction that KVM has emulated up to its end, but for the store itself
  Mmio,
  Shutdown,       // triple fault
  FailEntry,      // the hardware refused the state
  InternalError,  // KVM could not emulate an instruction, and has not begun to
  Unexpected,     // any other exit reason
  Error,          // KVM_RUN failed: `error_number`
};
struct Exit {
  ExitKind kind = ExitKind::Error;
  uint16_t port = 0;
  uint64_t gpa = 0;     // Mmio; HostFault when the kernel tells (0 otherwise)
  uint32_t reason = 0;  // kvm_run.exit_reason
  uint64_t detail = 0;  // suberror or hardware reason
  int error_number = 0;

  bool is_emulation_failure() const {
    return kind == ExitKind::InternalError && detail == KVM_INTERNAL_ERROR_EMULATION;
  }
};
std::string describe(const Exit& exit);

class Vm {
 public:
  static Result<Vm> create(const System& system);
  explicit Vm(FileDescriptor fd) : fd_(std::move(fd)) {}
  // Host memory [host, host+bytes) at guest-physical `gpa`. Holes in the host range are allowed.
  Result<bool> add_slot(uint32_t slot, uint64_t gpa, uint64_t host, uint64_t bytes);
  const FileDescriptor& fd() const { return fd_; }

 private:
  FileDescriptor fd_;
};

class Vcpu {
 public:
  static Result<std::unique_ptr<Vcpu>> create(const Vm& vm, size_t run_bytes, uint64_t id);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  Exit run();
  // After an exit by Mmio: the emulated instruction is over.
  Result<bool> finish_store();
  // Registers as of the last exit (KVM_CAP_SYNC_REGS); what is changed takes effect after
  // mark_dirty().
  kvm_regs& regs() { return run_->s.regs.regs; }
  void mark_dirty() { run_->kvm_dirty_regs |= KVM_SYNC_X86_REGS; }

  Result<kvm_sregs> get_sregs() const;
  Result<bool> set_sregs(const kvm_sregs& sregs);
  Result<bool> set_cpuid(const Cpuid& entries);
  Result<bool> set_msr(uint32_t index, uint64_t value, const char* name);
  Result<bool> set_xcr0(uint64_t value);
  // RDTSC inside the VM = RDTSC outside + offset. Returns false when the kernel has no way to set
  // it.
  bool set_tsc_offset(int64_t offset);
  // Nothing when the kernel does not tell.
  std::optional<int64_t> tsc_offset() const;

 private:
  Vcpu(FileDescriptor fd, kvm_run* run, size_t run_bytes);

  FileDescriptor fd_;
  kvm_run* const run_;
  const size_t run_bytes_;
};

// Whether KVM can be used; the error says why not and what to do.
Result<bool> check_kvm();

}  // namespace crosswalk::kvm
