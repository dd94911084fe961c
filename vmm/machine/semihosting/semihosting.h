// SPDX-License-Identifier: GPL-2.0-or-later
// Arm semihosting ("Semihosting for AArch32 and AArch64", release 3.0), for bare-metal programs.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "translator/arm32/cpu/platform.h"
#include "vmm/devices/console.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/semihosting/semihosting_files.h"
#include "vmm/machine/semihosting/semihosting_memory.h"
#include "vmm/machine/time/counter.h"

namespace crosswalk::vmm {

class SemihostingHost {
 public:
  virtual ~SemihostingHost() = default;
  // The next byte of console input; waits for it. -1: there will be none.
  virtual int read_console_byte() = 0;
  // Each waits until the reader takes it, or the machine stops.
  virtual void write_console(const uint8_t* data, size_t bytes) = 0;
  virtual void write_error(const uint8_t* data, size_t bytes) = 0;
  // What a guest asks for may take as long as it likes: long operations end when this is true.
  virtual bool stopping() const = 0;
  virtual void semihosting_exit(int code) = 0;
};

struct SemihostingConfig {
  bool enabled = false;
  // SYS_OPEN may open what is below this directory of the host; empty: nothing
  std::string files;
  std::string command_line;  // SYS_GET_CMDLINE
};

class Semihosting {
 public:
  enum class Kind : uint8_t { Closed, Input, Output, Error, Features, HostFile };
  // Plain data. A file of the host cannot be saved: has_host_files().
  struct FileState {
    Kind kind = Kind::Closed;
    uint64_t position = 0;
  };
  struct State {
    uint64_t image_end = 0;
    std::vector<FileState> files;
    uint32_t last_error = 0;  // SYS_ERRNO
  };

  Semihosting(SemihostingConfig config, const GuestRam& ram, const SystemCounter& counter, SemihostingHost& host);
  ~Semihosting();

  // Opens the directory of the configuration. Call it before call().
  Result<bool> open_files();
  bool enabled() const { return config_.enabled; }
  void set_engine(EnginePort* engine) { memory_.set_engine(engine); }
  // [start, end) of the loaded image: the heap begins behind it.
  void set_image_end(uint64_t pa) { image_end_ = pa; }
  // The operation in r0 with its parameter in r1; the result goes to r0. On the CPU's thread; the
  // CPUs have files and errno in common, and take turns but where one waits for input.
  void call(CpuState& cpu);

  // ---- while no CPU makes a call ----
  bool has_host_files();
  State save();
  // Closes what is open.
  void restore(const State& state);

 private:
  struct File {
    Kind kind = Kind::Closed;
    int fd = -1;
    uint64_t position = 0;  // of Features

    // Both return a negative errno when they fail.
    int seek(uint32_t to);
    int64_t length() const;
  };

  uint32_t dispatch(CpuState& cpu, uint32_t operation, uint32_t parameter);
  bool arguments(CpuState& cpu, uint32_t parameter, uint32_t* values, uint32_t count);
  bool read_name(CpuState& cpu, uint32_t va, uint32_t length, std::string& name);
  File* file(uint32_t handle);
  uint32_t fail(uint32_t error, uint32_t result = 0xffffffff);
  int read_console_byte();
  void close_host_files();

  uint32_t open_file(CpuState& cpu, uint32_t parameter);
  uint32_t close_file(uint32_t handle);
  uint32_t write_file(CpuState& cpu, File& file, uint32_t va, uint32_t bytes);
  uint32_t read_file(CpuState& cpu, File& file, uint32_t va, uint32_t bytes);
  uint32_t write_string(CpuState& cpu, uint32_t va);
  uint32_t command_line(CpuState& cpu, uint32_t parameter);
  uint32_t heap_info(CpuState& cpu, uint32_t parameter);
  uint32_t remove_or_rename(CpuState& cpu, uint32_t parameter, bool rename);

  SemihostingConfig config_;
  SemihostingMemory memory_;
  const SystemCounter& counter_;
  SemihostingHost& host_;
  std::unique_ptr<SemihostingFiles> host_files_;
  uint64_t image_end_;
  std::mutex lock_;          // of what follows; held during a call
  std::vector<File> files_;  // handle n is files_[n - 1]; they stay where they are
  uint32_t errno_ = 0;
};

}  // namespace crosswalk::vmm
