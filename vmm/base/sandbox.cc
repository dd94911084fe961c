// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/sandbox.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "kernel-module/crosswalk-abi.h"
#include "vmm/base/exit_status.h"

namespace crosswalk::vmm {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#elif defined(__has_feature)  // Clang
constexpr bool kSanitizer = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitizer = false;
#endif

constexpr unsigned bit(Sandbox::Role role) { return 1u << static_cast<unsigned>(role); }
constexpr unsigned kCpu = bit(Sandbox::Role::Cpu), kKvmCpu = bit(Sandbox::Role::KvmCpu),
                   kInside = bit(Sandbox::Role::InsideVm), kIo = bit(Sandbox::Role::Io),
                   kNetwork = bit(Sandbox::Role::Network), kShare = bit(Sandbox::Role::Share),
                   kTimer = bit(Sandbox::Role::Timer), kControl = bit(Sandbox::Role::Control),
                   kMonitor = bit(Sandbox::Role::Monitor), kDebugger = bit(Sandbox::Role::Debugger);
constexpr unsigned kThreads = kCpu | kKvmCpu | kIo | kNetwork | kShare | kTimer | kControl | kMonitor | kDebugger;
// What the engine calls comes from its thread, or from inside the VM and is made by the thread
// around it.
constexpr unsigned kEngine = kCpu | kKvmCpu | kInside;
constexpr unsigned kMain = kCpu | kKvmCpu;
constexpr uint64_t kWhole = ~uint64_t{0};

// The names of the calls, for a signal handler that can neither allocate nor be handed anything:
// there is one set of signal dispositions per process.
struct CallNames {
  static constexpr size_t kCalls = 512, kLength = 28;
  char text[kCalls][kLength];
};
CallNames& call_names() {
  static CallNames names;
  return names;
}

const char* name_of(uint64_t call) {
  const CallNames& names = call_names();
  return call < CallNames::kCalls && names.text[call][0] ? names.text[call] : "unknown";
}

void fill_call_names() {
  CallNames& names = call_names();
  for (size_t call = 0; call < CallNames::kCalls; call++) {
    const std::unique_ptr<char, decltype(&std::free)> name(
        seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(call)), &std::free);
    std::snprintf(names.text[call], CallNames::kLength, "%s", name ? name.get() : "");
  }
}

// One line, made by write(2) alone: a signal handler may call it.
[[noreturn]] void report_and_exit(uint64_t call, const char* who) {
  char digits[24] = {};
  char* number = digits + sizeof digits - 1;
  for (uint64_t rest = call; number == digits + sizeof digits - 1 || rest != 0; rest /= 10)
    *--number = static_cast<char>('0' + rest % 10);
  char line[256];
  size_t used = 0;
  const char* const parts[] = {
      "crosswalk: the sandbox stopped the system call ",       name_of(call), " (", number, ") ", who,
      "; if this is a defect, --sandbox off runs without it\n"};
  for (const char* part : parts) {
    const size_t length = std::strlen(part);
    if (used + length > sizeof line) break;
    std::memcpy(line + used, part, length);
    used += length;
  }
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, used);
  _exit(kExitInternalError);
}

// libslirp looks at the host's name servers again and again, by a file name, which a filter does
// not see; and what it has to say about a guest, the C library dates by the time zone's file. So on
// the network's thread these two calls are done by the handler, which knows one file, and the
// regular files below the directory for TFTP.
constexpr char kNameServersFile[] = "/etc/resolv.conf";
struct FileAnswers {
  bool given = false;
  int name_servers = -1;
  int tftp = -1;
  char tftp_path[PATH_MAX] = {};
};
thread_local FileAnswers file_answers;

// Opens it to be read, wherever symbolic links lead below the directory; negative: an error number.
int64_t open_below(int directory, const char* path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long file = syscall(SYS_openat2, directory, path, &how, sizeof how);
  if (file < 0) return -errno;
  struct stat status;
  if (fstat(static_cast<int>(file), &status) == 0 && S_ISREG(status.st_mode)) return file;
  close(static_cast<int>(file));
  return -EACCES;
}

int64_t answer_about_tftp(uint64_t call, const char* path, const greg_t* registers) {
  if (call == SYS_openat && (registers[REG_RDX] & O_ACCMODE) != O_RDONLY) return -EACCES;
  const int64_t file = open_below(file_answers.tftp, path);
  if (file < 0 || call == SYS_openat) return file;
  const int failed = fstat(static_cast<int>(file), reinterpret_cast<struct stat*>(registers[REG_RDX])) == 0 ? 0 : errno;
  close(static_cast<int>(file));
  return -failed;
}

// What the call returns.
int64_t answer_about_file(uint64_t call, const greg_t* registers) {
  const char* const path = reinterpret_cast<const char*>(registers[REG_RSI]);
  const int file = file_answers.name_servers;
  if (const size_t length = std::strlen(file_answers.tftp_path);
      file_answers.tftp >= 0 && std::strncmp(path, file_answers.tftp_path, length) == 0 && path[length] == '/')
    return answer_about_tftp(call, path + length + 1, registers);
  if (std::strcmp(path, kNameServersFile) != 0 || file < 0) return -ENOENT;
  if (call == SYS_newfstatat) {
    return fstat(file, reinterpret_cast<struct stat*>(registers[REG_RDX])) == 0 ? 0 : -errno;
  }
  if ((registers[REG_RDX] & O_ACCMODE) != O_RDONLY) return -EACCES;
  lseek(file, 0, SEEK_SET);
  const int copy = dup(file);
  return copy >= 0 ? copy : -errno;
}

void on_violation(int, siginfo_t* info, void* context) {
  const auto call = static_cast<uint64_t>(static_cast<unsigned>(info->si_syscall));
  if (file_answers.given && (call == SYS_openat || call == SYS_newfstatat)) {
    greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const int error = errno;
    registers[REG_RAX] = answer_about_file(call, registers);
    errno = error;
    return;
  }
  char who[40] = "of thread ";
  prctl(PR_GET_NAME, who + std::strlen(who));
  report_and_exit(call, who);
}

[[noreturn]] void give_up(const char* what, int error) {
  std::fprintf(stderr, "crosswalk: cannot confine a thread: %s: %s; --sandbox off runs without the sandbox\n", what,
               std::strerror(error));
  std::fflush(stderr);
  _exit(kExitInternalError);
}

// All sets of the calling thread. Root without them is a user who owns root's files.
void drop_capabilities() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // Only who has CAP_SETPCAP may, and only who has any needs to.
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) give_up("capset", errno);
}

}  // namespace

// ---- the lists

Sandbox::Sandbox(const Config& config) {
  add_calls_of_all();
  add_calls_of_roles(config);
}

// What the C library and the end of a thread take.
void Sandbox::add_calls_of_all() {
  // Memory: never executable. The code cache, the program and its libraries are mapped by now.
  add(kThreads | kInside, SCMP_SYS(mmap), {{2, PROT_EXEC, 0}});
  add(kThreads | kInside, SCMP_SYS(mprotect), {{2, PROT_EXEC, 0}});
  add(kThreads | kInside, SCMP_SYS(mremap), {{3, kWhole, MREMAP_MAYMOVE}});  // realloc
  add(kThreads | kInside, {SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(brk)});
  // Waiting, waking, time, and random numbers: malloc takes one for each thread.
  add(kThreads | kInside, {SCMP_SYS(futex), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(sched_yield),
                           SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom)});
  add(kThreads, {SCMP_SYS(restart_syscall)});  // what was interrupted by SIGSTOP and SIGCONT
  // Files that are open. Reads and writes go on the console, disks, files of options and event
  // counters.
  add(kThreads | kInside, {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev)});
  // The C library: qsort asks how much memory there is, malloc how many CPUs, stdio about a file
  // when it first writes to it, perror for a second descriptor.
  add(kThreads | kInside, {SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity), SCMP_SYS(dup)});
  add(kThreads | kInside, SCMP_SYS(fcntl), {{1, kWhole, F_GETFL}});
  add(kThreads | kInside, {SCMP_SYS(fstat), SCMP_SYS(lseek)});
  add(kThreads | kInside, SCMP_SYS(newfstatat), {{3, kWhole, AT_EMPTY_PATH}});
  add(kThreads | kInside, SCMP_SYS(ioctl), {{1, kWhole, TCGETS}});
  // The end: of a thread, of the process, by abort().
  add(kThreads, {SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn)});
  add(kThreads | kInside, {SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigprocmask)});
  add(kThreads | kInside, SCMP_SYS(tgkill), {{0, kWhole, static_cast<uint64_t>(getpid())}, {2, kWhole, SIGABRT}});
  add(kThreads | kInside, SCMP_SYS(rt_sigaction), {{0, kWhole, SIGABRT}});
  add(kThreads, SCMP_SYS(prctl), {{0, kWhole, PR_GET_NAME}});  // for the line about a violation

  // Standard output and error may be pipes: they are written when they take something.
  add(kThreads | kInside, {SCMP_SYS(poll), SCMP_SYS(ppoll)});
}

void Sandbox::add_calls_of_roles(const Config& config) {
  // The main thread runs the CPU, then ends the other threads, the terminal's guardian and what it
  // has open. When it does not come to it, the control thread gives the terminal back.
  add(kMain | kControl, {SCMP_SYS(close), SCMP_SYS(wait4)});
  // Or takes it back after a stop: of standard input alone, if it is the foreground's.
  add(kControl, {SCMP_SYS(getpgrp)});
  for (const uint64_t request : {uint64_t{TIOCGPGRP}, uint64_t{TCSETS}})
    add(kControl, SCMP_SYS(ioctl), {{0, kWhole, STDIN_FILENO}, {1, kWhole, request}});
  add(kMain, {SCMP_SYS(sigaltstack)});
  add(kEngine, {SCMP_SYS(pread64)});  // /proc/self/statm, again and again
  // Faults of translated code (process_world.cc).
  add(kMain, SCMP_SYS(rt_sigaction), {{0, kWhole, SIGSEGV}});
  add(kMain, SCMP_SYS(rt_sigaction), {{0, kWhole, SIGBUS}});
  // Their code keeps names below the directory (semihosting_files.cc); a filter does not see them.
  if (config.semihosting_files) {
    add(kEngine, {SCMP_SYS(openat2), SCMP_SYS(close), SCMP_SYS(unlinkat), SCMP_SYS(renameat), SCMP_SYS(ftruncate)});
    add(kEngine, SCMP_SYS(newfstatat), {{3, kWhole, AT_SYMLINK_NOFOLLOW}});
  }

  if (config.flash_files) add(kEngine, {SCMP_SYS(pwrite64)});

  // Windows of the kernel module.
  for (const uint64_t request :
       {uint64_t{CW_SET_WINDOW}, uint64_t{CW_FLUSH}, uint64_t{CW_INSTALL}, uint64_t{CW_PROTECT}, uint64_t{CW_WATCH}})
    add(kEngine, SCMP_SYS(ioctl), {{1, kWhole, request}});

  add(kMain, SCMP_SYS(ioctl), {{1, kWhole, uint64_t{CW_SET_UPCALL}}});

  // The KVM world: runs, flushes, makes memory of this process reachable, and keeps the TSC.
  for (const uint64_t request :
       {uint64_t{KVM_RUN}, uint64_t{KVM_SET_SREGS}, uint64_t{KVM_GET_SREGS}, uint64_t{KVM_GET_REGS},
        uint64_t{KVM_SET_USER_MEMORY_REGION}, uint64_t{KVM_GET_DEVICE_ATTR}, uint64_t{KVM_SET_DEVICE_ATTR}})
    add(kKvmCpu, SCMP_SYS(ioctl), {{1, kWhole, request}});
  add(kKvmCpu, {SCMP_SYS(mincore)});
  add(kKvmCpu, SCMP_SYS(arch_prctl), {{0, kWhole, ARCH_GET_FS}});
  add(kKvmCpu, SCMP_SYS(arch_prctl), {{0, kWhole, ARCH_GET_GS}});

  // The guest's connections: by IP alone, to no listener that was not there at the start.
  if (config.sockets) {
    for (const uint64_t family : {uint64_t{AF_INET}, uint64_t{AF_INET6}})
      add(kNetwork, SCMP_SYS(socket), {{0, kWhole, family}});
    // Interfaces by name, and the system's journal: libslirp and its libraries do without.
    add(kNetwork, SCMP_SYS(socket), {{0, kWhole, AF_UNIX}}, EACCES);
    add(kNetwork, {SCMP_SYS(connect), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
                   SCMP_SYS(recvmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
                   SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(close)});
    for (const uint64_t request : {uint64_t{F_SETFL}, uint64_t{F_GETFD}, uint64_t{F_SETFD}})
      add(kNetwork, SCMP_SYS(fcntl), {{1, kWhole, request}});
    add(kNetwork, SCMP_SYS(ioctl), {{1, kWhole, uint64_t{FIONREAD}}});
  }

  if (!config.tftp.empty()) add(kNetwork, {SCMP_SYS(openat2)});

  if (config.tap) {
    for (const uint64_t request : {uint64_t{TUNSETOFFLOAD}, uint64_t{TUNSETQUEUE}})
      add(kNetwork, SCMP_SYS(ioctl), {{1, kWhole, request}});
  }

  // Folders. Where the files are, a filter does not see: their code opens one name at a time,
  // beneath the folder, and Landlock keeps the thread there (vmm/share).
  if (config.shares) {
    add(kShare, {SCMP_SYS(openat2), SCMP_SYS(close), SCMP_SYS(pread64), SCMP_SYS(getdents64), SCMP_SYS(readlinkat),
                 SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(fdatasync)});
    add(kShare, SCMP_SYS(newfstatat), {{3, kWhole, AT_SYMLINK_NOFOLLOW}});
  }
  if (config.writable_shares) {
    add(kShare, {SCMP_SYS(pwrite64), SCMP_SYS(ftruncate), SCMP_SYS(mkdirat), SCMP_SYS(mknodat), SCMP_SYS(symlinkat),
                 SCMP_SYS(linkat), SCMP_SYS(renameat), SCMP_SYS(unlinkat), SCMP_SYS(fchmodat), SCMP_SYS(fchownat),
                 SCMP_SYS(utimensat)});
  }

  // The socket of --control, whose clients hand over files to be written, and the file of
  // --snapshot-file.
  add(kMonitor, {SCMP_SYS(accept4), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(close), SCMP_SYS(fdatasync)});
  const auto path = [](const char* name) { return reinterpret_cast<uint64_t>(name); };
  for (const char* name :
       {config.control_socket, config.serial_sockets[0], config.serial_sockets[1], config.new_snapshot})
    if (name) add(kMonitor, SCMP_SYS(unlink), {{0, kWhole, path(name)}});
  if (config.snapshot) {
    add(kMonitor, SCMP_SYS(openat), {{1, kWhole, path(config.new_snapshot)}});
    add(kMonitor, SCMP_SYS(rename), {{0, kWhole, path(config.new_snapshot)}, {1, kWhole, path(config.snapshot)}});
  }

  // A GDB's connections, to the socket that listens from the start.
  add(kDebugger, {SCMP_SYS(accept4), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(close)});

  // Disks.
  add(kIo, {SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(fdatasync),
            SCMP_SYS(fsync), SCMP_SYS(fallocate), SCMP_SYS(ftruncate)});
}

// ---- everything else

void Sandbox::add(unsigned roles, std::initializer_list<int> calls) {
  for (const int call : calls) rules_.push_back({call, roles, {}, 0});
}

void Sandbox::add(unsigned roles, int call, std::vector<Condition> conditions, int error) {
  rules_.push_back({call, roles, std::move(conditions), error});
}

Result<Sandbox> Sandbox::create(const Config& config) {
  // A null filter is looked at only where there are filters.
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) == 0 || errno != EFAULT)
    return Error{
        "this kernel has no seccomp filters to confine the guest with; --sandbox off runs without the sandbox"};
  fill_call_names();
  struct sigaction action = {};
  action.sa_sigaction = on_violation;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGSYS, &action, nullptr) != 0)
    return Error{std::string("sigaction for SIGSYS: ") + std::strerror(errno)};
  Sandbox sandbox(config);
  sandbox.looks_for_files_ = config.sockets;
  if (config.sockets) sandbox.name_servers_ = open(kNameServersFile, O_RDONLY | O_CLOEXEC);
  if (!config.tftp.empty()) {
    sandbox.tftp_path_ = config.tftp;
    sandbox.tftp_ = open(config.tftp.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sandbox.tftp_ < 0) return Error{"--net: tftp=" + config.tftp + ": " + std::strerror(errno)};
  }
  return sandbox;
}

void Sandbox::enter(Role role) const {
  // A blocked signal would end the process without the line.
  sigset_t violation;
  sigemptyset(&violation);
  sigaddset(&violation, SIGSYS);
  pthread_sigmask(SIG_UNBLOCK, &violation, nullptr);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("PR_SET_NO_NEW_PRIVS", errno);
  drop_capabilities();

  file_answers.given = looks_for_files_ && role == Role::Network;
  file_answers.name_servers = name_servers_;
  file_answers.tftp = tftp_;
  std::snprintf(file_answers.tftp_path, sizeof file_answers.tftp_path, "%s", tftp_path_.c_str());

  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_TRAP), seccomp_release);
  if (!filter) give_up("seccomp_init", ENOMEM);
  const auto check = [](const char* what, int status) {
    if (status < 0) give_up(what, -status);
  };
  // Calls of another architecture (int 0x80) have other numbers.
  check("seccomp_attr_set", seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
  // a binary search
  check("seccomp_attr_set", seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  // Older kernels switch speculation features off in threads with a filter; newer ones leave them,
  // since it costs every load of translated code and protects little.
  check("seccomp_attr_set", seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_SSB, 1));
  for (const Rule& rule : rules_) {
    if (!(rule.roles & bit(role))) continue;
    std::vector<scmp_arg_cmp> comparisons;
    for (const Condition& c : rule.conditions)
      comparisons.push_back(c.mask == kWhole ? scmp_arg_cmp{c.argument, SCMP_CMP_EQ, c.value, 0}
                                             : scmp_arg_cmp{c.argument, SCMP_CMP_MASKED_EQ, c.mask, c.value});
    const uint32_t action = rule.error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<uint16_t>(rule.error));
    check("seccomp_rule_add", seccomp_rule_add_array(filter.get(), action, rule.call,
                                                     static_cast<unsigned>(comparisons.size()), comparisons.data()));
  }
  check("seccomp_load", seccomp_load(filter.get()));
}

bool Sandbox::allows_inside(uint64_t call, const Arguments& arguments) const {
  for (const Rule& rule : rules_) {
    if (static_cast<uint64_t>(rule.call) != call || !(rule.roles & kInside)) continue;
    bool all = true;
    for (const Condition& c : rule.conditions) all = all && (arguments[c.argument] & c.mask) == c.value;
    if (all) return true;
  }
  return false;
}

void Sandbox::refuse_inside(uint64_t call) { report_and_exit(call, "of code inside the VM"); }

bool Sandbox::built_in() { return !kSanitizer; }

}  // namespace crosswalk::vmm
