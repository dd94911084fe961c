// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/kvm_api.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace crosswalk::kvm {

Error system_error(const std::string& what) { return Error{what + ": " + std::strerror(errno)}; }

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

namespace {

Result<int> checked_ioctl(int fd, unsigned long request, unsigned long argument, const char* name) {
  const int result = ioctl(fd, request, argument);
  if (result < 0) return system_error(name);
  return result;
}

Result<bool> done(Result<int> result) {
  if (!result) return result.take_error();
  return true;
}

template <class T>
unsigned long address_of(T& object) {
  return reinterpret_cast<unsigned long>(&object);
}

// kvm_cpuid2 and kvm_msrs: a count, padding, and that many entries. <linux/kvm.h>'s own
// declarations are unusable in C++: __DECLARE_FLEX_ARRAY puts an empty struct before the array,
// which has a size in C++ and so changes both the offset of the entries and the ioctl numbers.
struct ArrayHeader {
  uint32_t count, padding;
};
static_assert(sizeof(ArrayHeader) == 8);
constexpr unsigned long kGetSupportedCpuid = _IOWR(KVMIO, 0x05, ArrayHeader);
constexpr unsigned long kSetCpuid2 = _IOW(KVMIO, 0x90, ArrayHeader);
constexpr unsigned long kSetMsrs = _IOW(KVMIO, 0x89, ArrayHeader);

template <class Entry>
class CountedArray {
 public:
  explicit CountedArray(uint32_t n) : bytes_(new uint8_t[sizeof(ArrayHeader) + n * sizeof(Entry)]()) {
    header().count = n;
  }
  ArrayHeader& header() { return *reinterpret_cast<ArrayHeader*>(bytes_.get()); }
  Entry* entries() { return reinterpret_cast<Entry*>(bytes_.get() + sizeof(ArrayHeader)); }
  unsigned long address() const { return reinterpret_cast<unsigned long>(bytes_.get()); }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
};

}  // namespace

const kvm_cpuid_entry2* find_leaf(const Cpuid& cpuid, uint32_t function, uint32_t index) {
  for (const auto& entry : cpuid) {
    if (entry.function == function && entry.index == index) return &entry;
  }
  return nullptr;
}

Result<System> System::open() {
  System system(FileDescriptor(::open("/dev/kvm", O_RDWR | O_CLOEXEC)));
  if (system.fd_.get() < 0) {
    const char* advice = errno == EACCES   ? " (add the user to the group that owns it, usually kvm)"
                         : errno == ENOENT ? " (no KVM here: load kvm_intel or kvm_amd, or allow nested virtualization)"
                                           : "";
    return Error{system_error("/dev/kvm").message + advice};
  }
  auto version = checked_ioctl(system.fd_.get(), KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION");
  if (!version) return version.take_error();
  if (*version != KVM_API_VERSION) return Error{"/dev/kvm: API version " + std::to_string(*version) + ", not 12"};
  return system;
}

Result<int> System::check_extension(int capability) const {
  return checked_ioctl(fd_.get(), KVM_CHECK_EXTENSION, static_cast<unsigned long>(capability), "KVM_CHECK_EXTENSION");
}

Result<size_t> System::vcpu_run_bytes() const {
  auto bytes = checked_ioctl(fd_.get(), KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
  if (!bytes) return bytes.take_error();
  return static_cast<size_t>(*bytes);
}

Result<Cpuid> System::supported_cpuid() const {
  for (uint32_t n = 256;; n *= 2) {
    CountedArray<kvm_cpuid_entry2> cpuid(n);
    if (ioctl(fd_.get(), kGetSupportedCpuid, cpuid.address()) < 0) {
      if (errno == E2BIG && n < 8192) continue;
      return system_error("KVM_GET_SUPPORTED_CPUID");
    }
    return Cpuid(cpuid.entries(), cpuid.entries() + cpuid.header().count);
  }
}

std::string describe(const Exit& exit) {
  switch (exit.kind) {
    case ExitKind::Port: return "out to port " + std::to_string(exit.port);
    case ExitKind::Interrupted: return "interrupted by a signal";
    case ExitKind::HostFault: return "access to host memory that is not mapped or is read-only";
    case ExitKind::Mmio:
      return "access to guest-physical address " + std::to_string(exit.gpa) + ", which has no memory slot";
    case ExitKind::Shutdown: return "shutdown (triple fault)";
    case ExitKind::FailEntry: return "VM entry failed, hardware reason " + std::to_string(exit.detail);
    case ExitKind::InternalError: return "KVM internal error, suberror " + std::to_string(exit.detail);
    case ExitKind::Unexpected: return "unexpected KVM exit reason " + std::to_string(exit.reason);
    case ExitKind::Error: return std::string("KVM_RUN: ") + std::strerror(exit.error_number);
  }
  return "unknown";
}

Result<Vm> Vm::create(const System& system) {
  // KVM_CREATE_VM may be interrupted by a signal.
  int fd;
  do {
    fd = ioctl(system.fd().get(), KVM_CREATE_VM, 0);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return system_error("KVM_CREATE_VM");
  Vm vm{FileDescriptor(fd)};
  // An instruction that KVM cannot emulate is an exit, not an exception inside. Older kernels do
  // not have it.
  kvm_enable_cap on_failure{};
  on_failure.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE;
  on_failure.args[0] = 1;
  ioctl(fd, KVM_ENABLE_CAP, &on_failure);
  // Needed by Intel CPUs without unrestricted guests; 3 pages below 4 GiB that no slot uses.
  if (auto set = checked_ioctl(fd, KVM_SET_TSS_ADDR, 0xfffbd000, "KVM_SET_TSS_ADDR"); !set) return set.take_error();
  return vm;
}

Result<bool> Vm::add_slot(uint32_t slot, uint64_t gpa, uint64_t host, uint64_t bytes) {
  kvm_userspace_memory_region region = {};
  region.slot = slot;
  region.guest_phys_addr = gpa;
  region.memory_size = bytes;
  region.userspace_addr = host;
  return done(checked_ioctl(fd_.get(), KVM_SET_USER_MEMORY_REGION, address_of(region), "KVM_SET_USER_MEMORY_REGION"));
}

Result<std::unique_ptr<Vcpu>> Vcpu::create(const Vm& vm, size_t run_bytes, uint64_t id) {
  auto made = checked_ioctl(vm.fd().get(), KVM_CREATE_VCPU, id, "KVM_CREATE_VCPU");
  if (!made) return made.take_error();
  FileDescriptor fd(*made);
  void* memory = mmap(nullptr, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return system_error("mmap of kvm_run");
  return std::unique_ptr<Vcpu>(new Vcpu(std::move(fd), static_cast<kvm_run*>(memory), run_bytes));
}

Vcpu::Vcpu(FileDescriptor fd, kvm_run* run, size_t run_bytes) : fd_(std::move(fd)), run_(run), run_bytes_(run_bytes) {
  run_->kvm_valid_regs = KVM_SYNC_X86_REGS;
}

Vcpu::~Vcpu() { munmap(run_, run_bytes_); }

// A store may come in several pieces, an exit each.
Result<bool> Vcpu::finish_store() {
  run_->immediate_exit = 1;
  int result = 0;
  while (result == 0 && run_->exit_reason == KVM_EXIT_MMIO) result = ioctl(fd_.get(), KVM_RUN, 0);
  run_->immediate_exit = 0;
  if (result < 0 && errno == EINTR) return true;
  return system_error("KVM_RUN with immediate_exit");
}

Exit Vcpu::run() {
  Exit exit;
  const int result = ioctl(fd_.get(), KVM_RUN, 0);
  exit.reason = run_->exit_reason;
  if (result < 0) {
    exit.error_number = errno;
    switch (errno) {
      case EINTR:
      case EAGAIN: exit.kind = ExitKind::Interrupted; break;
      case EFAULT: exit.kind = ExitKind::HostFault; break;
      default: exit.kind = ExitKind::Error; break;
    }
    return exit;
  }
  switch (run_->exit_reason) {
    case KVM_EXIT_IO:
      exit.kind = run_->io.direction == KVM_EXIT_IO_OUT ? ExitKind::Port : ExitKind::Unexpected;
      exit.port = run_->io.port;
      break;
    case KVM_EXIT_MMIO:
      exit.kind = ExitKind::Mmio;
      exit.gpa = run_->mmio.phys_addr;
      break;
    case KVM_EXIT_INTR: exit.kind = ExitKind::Interrupted; break;
    case KVM_EXIT_SHUTDOWN: exit.kind = ExitKind::Shutdown; break;
    case KVM_EXIT_FAIL_ENTRY:
      exit.kind = ExitKind::FailEntry;
      exit.detail = run_->fail_entry.hardware_entry_failure_reason;
      break;
    case KVM_EXIT_INTERNAL_ERROR:
      exit.kind = ExitKind::InternalError;
      exit.detail = run_->internal.suberror;
      break;
    default: exit.kind = ExitKind::Unexpected; break;
  }
  return exit;
}

Result<kvm_sregs> Vcpu::get_sregs() const {
  kvm_sregs sregs;
  auto got = checked_ioctl(fd_.get(), KVM_GET_SREGS, address_of(sregs), "KVM_GET_SREGS");
  if (!got) return got.take_error();
  return sregs;
}

Result<bool> Vcpu::set_sregs(const kvm_sregs& sregs) {
  return done(checked_ioctl(fd_.get(), KVM_SET_SREGS, address_of(sregs), "KVM_SET_SREGS"));
}

Result<bool> Vcpu::set_cpuid(const Cpuid& entries) {
  CountedArray<kvm_cpuid_entry2> cpuid(static_cast<uint32_t>(entries.size()));
  for (size_t i = 0; i < entries.size(); i++) cpuid.entries()[i] = entries[i];
  return done(checked_ioctl(fd_.get(), kSetCpuid2, cpuid.address(), "KVM_SET_CPUID2"));
}

Result<bool> Vcpu::set_msr(uint32_t index, uint64_t value, const char* name) {
  CountedArray<kvm_msr_entry> msrs(1);
  msrs.entries()[0].index = index;
  msrs.entries()[0].data = value;
  auto set = checked_ioctl(fd_.get(), kSetMsrs, msrs.address(), "KVM_SET_MSRS");
  if (!set) return set.take_error();
  if (*set != 1) return Error{std::string("KVM_SET_MSRS: refuses ") + name};
  return true;
}

Result<bool> Vcpu::set_xcr0(uint64_t value) {
  kvm_xcrs xcrs = {};
  xcrs.nr_xcrs = 1;
  xcrs.xcrs[0].value = value;
  if (ioctl(fd_.get(), KVM_SET_XCRS, &xcrs) != 0) return Error{"KVM_SET_XCRS: refuses the host's XCR0"};
  return true;
}

bool Vcpu::set_tsc_offset(int64_t offset) {
  kvm_device_attr attribute = {};
  attribute.group = KVM_VCPU_TSC_CTRL;
  attribute.attr = KVM_VCPU_TSC_OFFSET;
  attribute.addr = address_of(offset);
  return ioctl(fd_.get(), KVM_SET_DEVICE_ATTR, &attribute) == 0;
}

std::optional<int64_t> Vcpu::tsc_offset() const {
  int64_t offset = 0;
  kvm_device_attr attribute = {};
  attribute.group = KVM_VCPU_TSC_CTRL;
  attribute.attr = KVM_VCPU_TSC_OFFSET;
  attribute.addr = address_of(offset);
  if (ioctl(fd_.get(), KVM_GET_DEVICE_ATTR, &attribute) != 0) return std::nullopt;
  return offset;
}

Result<bool> check_kvm() {
  auto system = System::open();
  if (!system) return system.take_error();
  auto sync_mmu = system->check_extension(KVM_CAP_SYNC_MMU);
  if (!sync_mmu) return sync_mmu.take_error();
  if (*sync_mmu == 0) return Error{"/dev/kvm: no KVM_CAP_SYNC_MMU (kernel too old)"};
  auto sync_regs = system->check_extension(KVM_CAP_SYNC_REGS);
  if (!sync_regs) return sync_regs.take_error();
  const int needed = KVM_SYNC_X86_REGS;
  if ((*sync_regs & needed) != needed) return Error{"/dev/kvm: no KVM_CAP_SYNC_REGS (kernel too old)"};
  auto vm = Vm::create(*system);
  if (!vm) return vm.take_error();
  return true;
}

}  // namespace crosswalk::kvm
