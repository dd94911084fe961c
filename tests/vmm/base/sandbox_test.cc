// SPDX-License-Identifier: GPL-2.0-or-later
// The lists of system calls, in forked children: what a kind of thread does goes on, everything
// else ends the process with a line that names the call.
#include "vmm/base/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "kernel-module/crosswalk-abi.h"

namespace crosswalk::vmm {
namespace {

using Role = Sandbox::Role;

const char* name_of(Role role) {
  switch (role) {
    case Role::Cpu: return "Cpu";
    case Role::KvmCpu: return "KvmCpu";
    case Role::Io: return "Io";
    case Role::Network: return "Network";
    case Role::Share: return "Share";
    case Role::Timer: return "Timer";
    case Role::Control: return "Control";
    case Role::Monitor: return "Monitor";
    case Role::Debugger: return "Debugger";
    case Role::InsideVm: break;
  }
  return "InsideVm";
}

// Precondition: in a child, which is confined from then on.
void confine(Role role, const Sandbox::Config& config = {}) {
  auto sandbox = Sandbox::create(config);
  if (!sandbox) {
    std::fprintf(stderr, "%s\n", sandbox.error().c_str());
    _exit(99);
  }
  sandbox->enter(role);
}

class SandboxTest : public testing::TestWithParam<Role> {
 protected:
  void SetUp() override {
    if (!Sandbox::built_in()) GTEST_SKIP() << "built with a sanitizer";
  }
};
INSTANTIATE_TEST_SUITE_P(Threads, SandboxTest,
                         testing::Values(Role::Cpu, Role::KvmCpu, Role::Io, Role::Network, Role::Share, Role::Timer,
                                         Role::Control, Role::Monitor, Role::Debugger),
                         [](const auto& info) { return name_of(info.param); });

void* page() { return mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

struct Attempt {
  const char* call;  // as the line names it
  void (*make)();
};

const Attempt kForbidden[] = {
    {"execve",
     [] {
       char* const arguments[] = {nullptr};
       execve("/bin/true", arguments, arguments);
     }},
    {"openat", [] { open("/etc/passwd", O_RDONLY); }},
    {"socket", [] { socket(AF_INET, SOCK_STREAM, 0); }},
    {"ptrace", [] { ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
    {"kill", [] { kill(1, 0); }},
    {"fork", [] { syscall(SYS_fork); }},
    {"clone", [] { syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
    {"clone3", [] { syscall(SYS_clone3, nullptr, 0); }},
    {"mmap", [] { static_cast<void>(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)); }},
    {"mprotect", [] { mprotect(page(), 4096, PROT_READ | PROT_EXEC); }},
    {"mremap", [] { syscall(SYS_mremap, page(), 0, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page()); }},
    {"memfd_create", [] { memfd_create("x", 0); }},
    {"process_vm_writev", [] { process_vm_writev(getpid(), nullptr, 0, nullptr, 0, 0); }},
    {"ioctl", [] { ioctl(0, TIOCSTI, "x"); }},
    {"ioctl", [] { ioctl(0, KVM_CREATE_VM, 0); }},
    {"prctl", [] { prctl(PR_SET_SECCOMP, 0, 0, 0, 0); }},
    {"tgkill", [] { syscall(SYS_tgkill, 1, 1, SIGABRT); }},
    {"tgkill", [] { syscall(SYS_tgkill, getpid(), gettid(), SIGKILL); }},
    {"rt_sigaction", [] { signal(SIGSYS, SIG_IGN); }},
    {"newfstatat",
     [] {
       struct stat s;
       syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &s, 0);
     }},
    {"setuid", [] { syscall(SYS_setuid, 0); }},
    {"capset", [] { syscall(SYS_capset, nullptr, nullptr); }},
    {"bpf", [] { syscall(SYS_bpf, 0, nullptr, 0); }},
    {"io_uring_setup", [] { syscall(SYS_io_uring_setup, 1, nullptr); }},
    {"unlink", [] { unlink("/nonexistent/x"); }},
};

TEST_P(SandboxTest, EverythingElseEndsTheProcess) {
  for (const Attempt& attempt : kForbidden) {
    EXPECT_EXIT(
        {
          confine(GetParam());
          attempt.make();
          _exit(0);
        },
        testing::ExitedWithCode(1),
        std::string("the sandbox stopped the system call ") + attempt.call + " \\([0-9]+\\) of thread .*--sandbox off");
  }
}

// Runs `body`, which returns whether all went well, in a confined child.
template <class Body>
void expect_allowed(Role role, Body body, const Sandbox::Config& config = {}) {
  EXPECT_EXIT(
      {
        confine(role, config);
        _exit(body() ? 0 : 7);
      },
      testing::ExitedWithCode(0), "");
}

TEST_P(SandboxTest, WhatEveryThreadDoes) {
  expect_allowed(GetParam(), [] {
    // Memory that grows, by the heap and by mappings, and shrinks again.
    std::vector<char> large(4 << 20);
    large.resize(64 << 20);
    large = {};
    for (int i = 0; i < 1000; i++) std::string(static_cast<size_t>(i) * 100, 'x').swap(*new std::string);
    void* const memory = page();
    if (memory == MAP_FAILED || madvise(memory, 4096, MADV_DONTNEED) != 0 || munmap(memory, 4096) != 0) return false;
    timespec now;
    const timespec nap{0, 1000};
    uint32_t word = 1;
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &nap, nullptr, 0);
    if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0 || nanosleep(&nap, nullptr) != 0) return false;
    // stdio: asks about the file first.
    std::printf("a line\n");
    return std::fflush(stdout) == 0 && std::fprintf(stderr, "another\n") > 0;
  });
}

// What has been mapped and written before goes on being written: statistics, traces, logs.
TEST_P(SandboxTest, OpenFilesAreWritten) {
  EXPECT_EXIT(
      {
        FILE* const file = std::tmpfile();
        confine(GetParam());
        const bool good = std::fputs("text", file) >= 0 && std::fflush(file) == 0 && std::ftell(file) == 4;
        _exit(good ? 0 : 7);
      },
      testing::ExitedWithCode(0), "");
}

TEST_P(SandboxTest, AnAbortIsAnAbort) {
  EXPECT_EXIT(
      {
        confine(GetParam());
        std::abort();
      },
      testing::KilledBySignal(SIGABRT), "");
}

TEST_P(SandboxTest, NoPrivilegesAreLeft) {
  EXPECT_EXIT(
      {
        std::ifstream status("/proc/thread-self/status");
        confine(GetParam());
        for (std::string line; std::getline(status, line);) {
          const std::string key = line.substr(0, line.find(':'));
          if (key != "CapInh" && key != "CapPrm" && key != "CapEff" && key != "CapAmb" && key != "NoNewPrivs" &&
              key != "Seccomp")
            continue;
          std::fprintf(stderr, "%s=%s ", key.c_str(), line.substr(line.find_last_of("\t ") + 1).c_str());
        }
        _exit(0);
      },
      testing::ExitedWithCode(0),
      "CapInh=0000000000000000 CapPrm=0000000000000000 CapEff=0000000000000000 CapAmb=0000000000000000 NoNewPrivs=1 "
      "Seccomp=2");
}

TEST_P(SandboxTest, ABlockedSignalDoesNotHideTheLine) {
  EXPECT_EXIT(
      {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, nullptr);
        confine(GetParam());
        socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(0);
      },
      testing::ExitedWithCode(1), "system call socket");
}

class SandboxRoles : public testing::Test {
 protected:
  void SetUp() override {
    if (!Sandbox::built_in()) GTEST_SKIP() << "built with a sanitizer";
  }
};

TEST_F(SandboxRoles, TheIoThreadServesDisksAndTheConsole) {
  const int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  ASSERT_GE(fd, 0);
  expect_allowed(Role::Io, [fd] {
    char text[4] = {};
    pollfd fds{fd, POLLIN, 0};
    // not every file system can
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
    return pwrite(fd, "data", 4, 100) == 4 && pread(fd, text, 4, 100) == 4 && text[0] == 'd' && fdatasync(fd) == 0 &&
           poll(&fds, 1, 0) >= 0;
  });
  close(fd);
  for (const Role role : {Role::Cpu, Role::KvmCpu, Role::Timer, Role::Control}) {
    EXPECT_EXIT(
        {
          confine(role);
          pwrite(0, "data", 4, 100) == 4 ? _exit(0) : _exit(7);
        },
        testing::ExitedWithCode(1), "system call pwrite64");
  }
}

TEST_F(SandboxRoles, OnlyTheThreadAroundAVmHasItsIoctls) {
  for (const uint64_t request : {uint64_t{KVM_RUN}, uint64_t{KVM_SET_SREGS}, uint64_t{KVM_SET_USER_MEMORY_REGION}}) {
    expect_allowed(Role::KvmCpu, [&] { return ioctl(-1, request, nullptr) < 0 && errno == EBADF; });
    for (const Role role : {Role::Cpu, Role::Io, Role::Timer, Role::Control}) {
      EXPECT_EXIT(
          {
            confine(role);
            ioctl(-1, request, nullptr);
            _exit(0);
          },
          testing::ExitedWithCode(1), "system call ioctl");
    }
  }
}

TEST_F(SandboxRoles, OnlyTheEngineHasTheIoctlsOfTheKernelModule) {
  auto sandbox = Sandbox::create({});
  ASSERT_TRUE(sandbox) << sandbox.error();
  for (const uint64_t request :
       {uint64_t{CW_SET_WINDOW}, uint64_t{CW_FLUSH}, uint64_t{CW_INSTALL}, uint64_t{CW_PROTECT}, uint64_t{CW_WATCH}}) {
    EXPECT_TRUE(sandbox->allows_inside(SYS_ioctl, {5, request}));
    for (const Role role : {Role::Cpu, Role::KvmCpu})
      expect_allowed(role, [&] { return ioctl(-1, request, nullptr) < 0 && errno == EBADF; });
    for (const Role role : {Role::Io, Role::Timer, Role::Control}) {
      EXPECT_EXIT(
          {
            confine(role);
            ioctl(-1, request, nullptr);
            _exit(0);
          },
          testing::ExitedWithCode(1), "system call ioctl");
    }
  }
  // Where faults are delivered is for the thread itself to say.
  EXPECT_FALSE(sandbox->allows_inside(SYS_ioctl, {5, CW_SET_UPCALL}));
  for (const Role role : {Role::Cpu, Role::KvmCpu})
    expect_allowed(role, [] { return ioctl(-1, CW_SET_UPCALL, nullptr) < 0 && errno == EBADF; });
  EXPECT_EXIT(
      {
        confine(Role::Io);
        ioctl(-1, CW_SET_UPCALL, nullptr);
        _exit(0);
      },
      testing::ExitedWithCode(1), "system call ioctl");
  // RAM is set before the guest runs.
  EXPECT_FALSE(sandbox->allows_inside(SYS_ioctl, {5, CW_SET_RAM}));
  for (const Role role : {Role::Cpu, Role::KvmCpu}) {
    EXPECT_EXIT(
        {
          confine(role);
          ioctl(-1, CW_SET_RAM, nullptr);
          _exit(0);
        },
        testing::ExitedWithCode(1), "system call ioctl");
  }
}

TEST_F(SandboxRoles, OnlyTheControlThreadSetsTheTerminalOfStandardInput) {
  const auto attempt = [](int fd) { return ioctl(fd, TCSETS, nullptr) < 0; };
  expect_allowed(Role::Control, [&] { return attempt(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != 0 && getpgrp() > 0; });
  for (const Role role : {Role::Cpu, Role::KvmCpu, Role::Io, Role::Timer, Role::Control}) {
    EXPECT_EXIT(
        {
          confine(role);
          attempt(role == Role::Control ? STDERR_FILENO : STDIN_FILENO);
          _exit(0);
        },
        testing::ExitedWithCode(1), "system call ioctl");
  }
}

TEST_F(SandboxRoles, SemihostingOpensFilesOnlyWhereTheOptionSaysSo) {
  const auto attempt = [] {
    const uint64_t how[3] = {};
    return syscall(SYS_openat2, AT_FDCWD, "/nonexistent/file", how, sizeof how) < 0 && errno == ENOENT;
  };
  expect_allowed(Role::Cpu, attempt, {.semihosting_files = true});
  expect_allowed(Role::KvmCpu, attempt, {.semihosting_files = true});
  EXPECT_EXIT(
      {
        confine(Role::Io, {.semihosting_files = true});
        attempt();
        _exit(0);
      },
      testing::ExitedWithCode(1), "system call openat2");
}

TEST_F(SandboxRoles, TheMonitorMakesTheFilesThatOptionsName) {
  const std::string folder = "/nonexistent/", file = folder + "snapshot", made = folder + "new", copy = made;
  const Sandbox::Config config{.snapshot = file.c_str(), .new_snapshot = made.c_str()};
  const auto make = [](const std::string& path) {
    return open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) < 0 && errno == ENOENT;
  };
  expect_allowed(
      Role::Monitor,
      [&] {
        return make(made) && rename(made.c_str(), file.c_str()) < 0 && errno == ENOENT && unlink(made.c_str()) < 0 &&
               errno == ENOENT;
      },
      config);
  const std::function<void()> forbidden[] = {[&] { make(copy); }, [&] { make(file); },
                                             [&] { rename(copy.c_str(), file.c_str()); },
                                             [&] { unlink(file.c_str()); }};
  for (const auto& attempt : forbidden) {
    EXPECT_EXIT(
        {
          confine(Role::Monitor, config);
          attempt();
          _exit(0);
        },
        testing::ExitedWithCode(1), "system call (openat|rename|unlink)");
  }
}

TEST_F(SandboxRoles, OnlyAFoldersThreadHasFiles) {
  const Sandbox::Config writable{.shares = true, .writable_shares = true}, read_only{.shares = true};
  const auto reads = [] {
    const uint64_t how[3] = {};
    char text[4];
    return syscall(SYS_openat2, AT_FDCWD, "/nonexistent/file", how, sizeof how) < 0 && errno == ENOENT &&
           readlinkat(AT_FDCWD, "/proc/self", text, sizeof text) > 0 && pread(-1, text, 4, 0) < 0 && errno == EBADF;
  };
  expect_allowed(Role::Share, reads, read_only);
  expect_allowed(Role::Share, reads, writable);
  const Attempt writes[] = {
      {"mkdirat", [] { mkdirat(-1, "x", 0700); }},      {"unlinkat", [] { unlinkat(-1, "x", 0); }},
      {"renameat", [] { renameat(-1, "x", -1, "y"); }}, {"pwrite64", [] { static_cast<void>(pwrite(-1, "x", 1, 0)); }},
      {"fchmodat", [] { fchmodat(-1, "x", 0600, 0); }},
  };
  for (const Attempt& attempt : writes) {
    expect_allowed(
        Role::Share, [&] { return attempt.make(), errno == EBADF; }, writable);
    for (const auto& [role, config] : {std::pair{Role::Share, read_only}, std::pair{Role::Timer, writable}}) {
      EXPECT_EXIT(
          {
            confine(role, config);
            attempt.make();
            _exit(0);
          },
          testing::ExitedWithCode(1), std::string("system call ") + attempt.call);
    }
  }
  const Attempt never[] = {
      {"openat", [] { ::open("/etc/passwd", O_RDONLY); }},
      {"execve",
       [] {
         char* const arguments[] = {nullptr};
         execve("/bin/true", arguments, arguments);
       }},
      {"socket", [] { socket(AF_INET, SOCK_STREAM, 0); }},
      {"setxattr", [] { syscall(SYS_setxattr, "/nonexistent", "user.x", "", 0, 0); }},
  };
  for (const Attempt& attempt : never) {
    EXPECT_EXIT(
        {
          confine(Role::Share, writable);
          attempt.make();
          _exit(0);
        },
        testing::ExitedWithCode(1), std::string("system call ") + attempt.call);
  }
}

TEST_F(SandboxRoles, TheNetworksThreadMakesConnectionsAndListensToNone) {
  const Sandbox::Config config{.sockets = true};
  expect_allowed(
      Role::Network,
      [] {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        static_cast<void>(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
        const bool refused = socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EACCES;
        return fd >= 0 && close(fd) == 0 && refused;
      },
      config);
  const Attempt attempts[] = {
      {"socket", [] { socket(AF_PACKET, SOCK_RAW, 0); }},
      {"bind", [] { static_cast<void>(bind(0, nullptr, 0)); }},
      {"listen", [] { listen(0, 1); }},
      {"openat2", [] { syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
  };
  for (const Attempt& attempt : attempts) {
    EXPECT_EXIT(
        {
          confine(Role::Network, config);
          attempt.make();
          _exit(0);
        },
        testing::ExitedWithCode(1), std::string("system call ") + attempt.call);
  }
  // Nor does another thread, or this one with another kind of network.
  for (const auto& [role, sockets] : {std::pair{Role::Io, true}, std::pair{Role::Network, false}}) {
    EXPECT_EXIT(
        {
          confine(role, {.sockets = sockets, .tap = true});
          socket(AF_INET, SOCK_STREAM, 0);
          _exit(0);
        },
        testing::ExitedWithCode(1), "system call socket");
  }
}

TEST_F(SandboxRoles, TheDebuggersThreadAcceptsAndMakesNoConnection) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr address{.sa_family = AF_UNIX, .sa_data = {}};
  ASSERT_EQ(bind(listener, &address, sizeof(sa_family_t)), 0);  // a name that the kernel chooses
  ASSERT_EQ(listen(listener, 1), 0);
  expect_allowed(Role::Debugger, [&] {
    char byte = 0;
    return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) < 0 && errno == EAGAIN && recv(-1, &byte, 1, 0) < 0 &&
           send(-1, &byte, 1, MSG_NOSIGNAL) < 0 && close(listener) == 0;
  });
  close(listener);
  const Attempt attempts[] = {
      {"socket", [] { socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"connect", [] { static_cast<void>(connect(0, nullptr, 0)); }},
      {"openat2", [] { syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
  };
  for (const Attempt& attempt : attempts) {
    EXPECT_EXIT(
        {
          confine(Role::Debugger);
          attempt.make();
          _exit(0);
        },
        testing::ExitedWithCode(1), std::string("system call ") + attempt.call);
  }
  EXPECT_EXIT(
      {
        confine(Role::Control);
        accept4(0, nullptr, nullptr, 0);
        _exit(0);
      },
      testing::ExitedWithCode(1), "system call accept4");
}

// Of all files it finds that with the host's name servers, and cannot write it.
TEST_F(SandboxRoles, TheNetworksThreadReadsTheNameServers) {
  const std::string file = "/etc/resolv.conf";
  std::ifstream before(file);
  const std::string expected{std::istreambuf_iterator<char>(before), {}};
  expect_allowed(Role::Network,
                 [&] {
                   struct stat status;
                   const bool there = stat(file.c_str(), &status) == 0;
                   for (int again = 0; there && again < 2; ++again) {
                     std::FILE* const opened = std::fopen(file.c_str(), "r");
                     if (!opened) return false;
                     std::string content(expected.size() + 1, '\0');
                     content.resize(std::fread(content.data(), 1, content.size(), opened));
                     std::fclose(opened);
                     if (content != expected) return false;
                   }
                   if (there && (open(file.c_str(), O_RDWR) >= 0 || errno != EACCES)) return false;
                   return open("/etc/passwd", O_RDONLY) < 0 && errno == ENOENT && stat("/etc/passwd", &status) < 0;
                 },
                 {.sockets = true});
}

// And with tftp= the regular files of a directory, wherever links there lead below it.
TEST_F(SandboxRoles, TheNetworksThreadReadsFilesBelowADirectory) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::canonical(fs::temp_directory_path()) / ("crosswalk-tftp-" + std::to_string(getpid()));
  fs::create_directories(folder / "below");
  std::ofstream(folder / "below" / "file") << "content";
  fs::create_symlink("below/file", folder / "within");
  fs::create_symlink("/etc/passwd", folder / "outside");
  fs::create_symlink("../..", folder / "up");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  const std::string name = folder;
  expect_allowed(Role::Network,
                 [&] {
                   const auto opens = [&](const char* file) {
                     const int fd = open((name + file).c_str(), O_RDONLY);
                     char text[8] = {};
                     return fd >= 0 && read(fd, text, 7) == 7 && std::string(text) == "content";
                   };
                   const auto refuses = [&](const char* file, int flags = O_RDONLY) {
                     struct stat status;
                     return open((name + file).c_str(), flags) < 0 &&
                            (flags != O_RDONLY || stat((name + file).c_str(), &status) < 0);
                   };
                   struct stat status;
                   return opens("/below/file") && opens("/within") && stat((name + "/within").c_str(), &status) == 0 &&
                          status.st_size == 7 && refuses("/outside") && refuses("/up/etc/passwd") &&
                          refuses("/../passwd") && refuses("/fifo") && refuses("/below") && refuses("x") &&
                          refuses("") && refuses("/below/file", O_RDWR);
                 },
                 {.sockets = true, .tftp = name});
  fs::remove_all(folder);
}

TEST_F(SandboxRoles, CpusWriteFlashFilesWhereTheOptionSaysSo) {
  const auto attempt = [] { return pwrite(-1, "", 1, 0) < 0 && errno == EBADF; };
  expect_allowed(Role::Cpu, attempt, {.flash_files = true});
  EXPECT_EXIT(
      {
        confine(Role::Cpu);
        attempt();
        _exit(0);
      },
      testing::ExitedWithCode(1), "system call pwrite64");
}

TEST_F(SandboxRoles, CodeInsideAVmHasFewerCallsThanTheThreadAroundIt) {
  auto sandbox = Sandbox::create({});
  ASSERT_TRUE(sandbox) << sandbox.error();
  EXPECT_TRUE(sandbox->allows_inside(SYS_write, {1, 0, 0}));
  EXPECT_TRUE(sandbox->allows_inside(SYS_poll, {0, 1, 50})) << "semihosting waits for room on standard error";
  EXPECT_TRUE(sandbox->allows_inside(SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE}));
  EXPECT_FALSE(sandbox->allows_inside(SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}));
  EXPECT_TRUE(sandbox->allows_inside(SYS_ioctl, {1, TCGETS}));
  EXPECT_FALSE(sandbox->allows_inside(SYS_ioctl, {5, KVM_SET_USER_MEMORY_REGION}));
  EXPECT_FALSE(sandbox->allows_inside(SYS_ioctl, {5, KVM_RUN}));
  for (const long call :
       {SYS_execve, SYS_arch_prctl, SYS_exit, SYS_rt_sigreturn, SYS_sigaltstack, SYS_mincore, SYS_openat})
    EXPECT_FALSE(sandbox->allows_inside(static_cast<uint64_t>(call), {})) << call;
  EXPECT_FALSE(sandbox->allows_inside(uint64_t{1} << 32 | SYS_write, {})) << "the upper half of rax counts";
}

}  // namespace
}  // namespace crosswalk::vmm
