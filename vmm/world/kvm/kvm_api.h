// SPDX-License-Identifier: GPL-2.0-or-later
// Thin checked wrappers of the KVM ioctls (Documentation/virt/kvm/api.rst). Set-up failures throw
// KvmError with the name of the call, which KvmWorld::create turns into its error text; KVM_RUN's
// results are values.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace crosswalk::kvm {

class KvmError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

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

// ioctl that throws KvmError "NAME: strerror" on failure.
int checked_ioctl(int fd, unsigned long request, unsigned long argument, const char* name);

// /dev/kvm.
class System {
 public:
  System();  // opens it; the error text says what to do about it
  int check_extension(int capability) const;
  std::vector<kvm_cpuid_entry2> supported_cpuid() const;
  const FileDescriptor& fd() const { return fd_; }

 private:
  FileDescriptor fd_;
};

// What KVM_RUN came back with: the exits that this program knows, and Unexpected for every other.
enum class ExitKind : uint8_t {
  Port,           // KVM_EXIT_IO, an out instruction: `port`
  Interrupted,    // -EINTR, KVM_EXIT_INTR: a signal; run again
  HostFault,      // -EFAULT: the host page behind an access is not there or is read-only
  Mmio,           // KVM_EXIT_MMIO: an access to `gpa`, where there is no memory slot
  Shutdown,       // triple fault
  FailEntry,      // the hardware refused the state
  InternalError,  // KVM could not emulate an instruction
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
};
std::string describe(const Exit& exit);

class Vcpu {
 public:
  Vcpu(int vm_fd, size_t run_bytes, uint64_t id);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  Exit run();
  // Registers as of the last exit (KVM_CAP_SYNC_REGS); what is changed takes effect after
  // mark_dirty().
  kvm_regs& regs() { return run_->s.regs.regs; }
  void mark_dirty() { run_->kvm_dirty_regs |= KVM_SYNC_X86_REGS; }

  kvm_sregs get_sregs() const;
  void set_sregs(const kvm_sregs& sregs);
  kvm_regs get_regs() const;
  void set_cpuid(const std::vector<kvm_cpuid_entry2>& entries);
  void set_msr(uint32_t index, uint64_t value, const char* name);
  bool set_xcr0(uint64_t value);
  // RDTSC inside the VM = RDTSC outside + offset. Returns false when the kernel has no way to set
  // it.
  bool set_tsc_offset(int64_t offset);
  // Returns false when the kernel does not tell.
  bool get_tsc_offset(int64_t& offset) const;

 private:
  FileDescriptor fd_;
  kvm_run* run_ = nullptr;
  size_t run_bytes_;
};

class Vm {
 public:
  explicit Vm(const System& system);
  explicit Vm(FileDescriptor fd) : fd_(std::move(fd)) {}
  // Host memory [host, host+bytes) at guest-physical `gpa`. Holes in the host range are allowed.
  void add_slot(uint32_t slot, uint64_t gpa, uint64_t host, uint64_t bytes);
  const FileDescriptor& fd() const { return fd_; }

 private:
  FileDescriptor fd_;
};

// Empty when KVM can be used, else why not and what to do.
std::string why_kvm_is_unusable();

}  // namespace crosswalk::kvm
