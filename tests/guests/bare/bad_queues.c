// SPDX-License-Identifier: GPL-2.0-or-later
// A guest that keeps the machine's devices as busy as it can. The word on its command line
// (--append) says with what:
//   read         one disk request of 1,021 buffers of 224 MiB; prints the status that it ends with
//   read-large   disk requests of as much as the device announces that it takes, for ever
//   read-off, read-reset   one of those; powers off or resets the device meanwhile
//   entropy      a queue of 256 requests for entropy, kept full; entropy-print prints a line now
//                and then
//   print        console output without end, by the UART; print-virtio by virtio-console
//   print-host   one semihosting call that prints 1 GiB
//   input        waits for console input in a semihosting call
//   sleep        one WFI for ever, interrupts masked
#include "tests/guests/bare/runtime.h"

struct descriptor {
  uint64_t address;
  uint32_t bytes;
  uint16_t flags, next;
};
enum { kNext = 1, kWrite = 2, kIndirect = 4 };
enum { kBlock = 2, kConsole = 3, kEntropy = 4 };
enum { kEntries = 256, kBuffer = 0x41000000, kBufferBytes = 65536, kStatusPending = 0xee };

static struct descriptor table[kEntries] __attribute__((aligned(16)));
static struct descriptor indirect[1024] __attribute__((aligned(16)));
static volatile struct { uint16_t flags, index, ring[kEntries]; } available __attribute__((aligned(4)));
static volatile struct {
  uint16_t flags, index;
  struct {
    uint32_t id, bytes;
  } ring[kEntries];
} used __attribute__((aligned(4)));
static struct {
  uint32_t type, reserved;
  uint64_t sector;
} header;
static volatile uint8_t status;
static uint32_t slot;
static char command_line[256];

static volatile uint32_t* reg(uint32_t offset) { return device(slot, offset); }

// Brings up one queue of the first device of this type (virtio 1.1, 3.1.1 and 4.2.3.1).
static void start(uint32_t type, uint32_t queue, uint32_t features) {
  for (uint32_t i = 0; i < 32; ++i)
    if (*device(kVirtioMmio + i * 0x200, 8) == type) slot = kVirtioMmio + i * 0x200;
  if (!slot) {
    put_string("no such device\n");
    semihosting_exit(1);
  }
  *reg(0x70) = 0;
  *reg(0x70) = 3;
  *reg(0x24) = 0;
  *reg(0x20) = features;
  *reg(0x24) = 1;
  *reg(0x20) = 1;  // VIRTIO_F_VERSION_1
  *reg(0x70) = 11;
  *reg(0x30) = queue;
  *reg(0x38) = kEntries;
  *reg(0x80) = (uint32_t)table;
  *reg(0x90) = (uint32_t)&available;
  *reg(0xa0) = (uint32_t)&used;
  *reg(0x44) = 1;
  *reg(0x70) = 15;
}

static void read_disk(uint32_t buffers, uint32_t bytes) {
  status = kStatusPending;
  indirect[0] = (struct descriptor){(uint32_t)&header, 16, kNext, 1};
  for (uint32_t i = 1; i <= buffers; ++i)
    indirect[i] = (struct descriptor){kBuffer, bytes, kNext | kWrite, (uint16_t)(i + 1)};
  indirect[buffers + 1] = (struct descriptor){(uint32_t)&status, 1, kWrite, 0};
  table[0] = (struct descriptor){(uint32_t)indirect, (buffers + 2) * 16, kIndirect, 0};
  available.ring[available.index % kEntries] = 0;
  dsb();
  available.index++;
  dsb();
  *reg(0x50) = 0;
}

static void wait_for_disk(void) {
  while (used.index != available.index) {
  }
}

// VIRTIO_BLK_F_SIZE_MAX and _SEG_MAX (virtio 1.1, 5.2.4).
static void read_much(void) {
  const uint32_t size_max = *reg(0x108);
  read_disk(*reg(0x10c), size_max ? size_max : 64u << 20);
}

static void keep_full(uint32_t queue, uint16_t flags, bool print) {
  for (uint32_t i = 0; i < kEntries; ++i) {
    table[i] = (struct descriptor){kBuffer, kBufferBytes, flags, 0};
    available.ring[i] = (uint16_t)i;
  }
  available.flags = 1;  // no interrupts
  uint32_t lines = 0;
  for (uint16_t last = 0;;) {
    available.index = (uint16_t)(last + kEntries);
    dsb();
    *reg(0x50) = queue;
    while (used.index == last) {
    }
    last = used.index;
    if (print && to_nanoseconds(counter()) / 500000000 > lines) {
      put_string("still here ");
      put_decimal(lines++);
      put_string("\n");
    }
  }
}

static bool asked(const char* word) {
  const char* at = command_line;
  while (*at && *at != ' ') ++at;
  if (*at == ' ') ++at;
  while (*at && *at == *word) ++at, ++word;
  return *at == *word;
}

void main(void);
void main(void) {
  struct {
    char* text;
    uint32_t bytes;
  } block = {command_line, sizeof command_line};
  semihost(0x15, &block);  // SYS_GET_CMDLINE
  if (asked("entropy") || asked("entropy-print")) {
    start(kEntropy, 0, 0);
    put_string("ready\n");
    keep_full(0, kWrite, asked("entropy-print"));
  }
  if (asked("print")) {
    put_string("ready\n");
    for (;;) put_string("flood flood flood flood flood flood flood flood flood flood\n");
  }
  if (asked("print-virtio")) {
    for (uint32_t i = 0; i < kBufferBytes; ++i) *(uint8_t*)(kBuffer + i) = i % 64 == 63 ? '\n' : 'v';
    start(kConsole, 1, 0);
    put_string("ready\n");
    keep_full(1, 0, false);
  }
  if (asked("print-host")) {
    const struct { uint32_t handle, address, bytes; } write = {1, kRam, 0x3ff00000};
    const struct {
      const char* name;
      uint32_t mode, length;
    } open = {":tt", 4, 3};
    put_string("ready\n");
    semihost(0x01, &open);
    for (;;) semihost(0x05, &write);
  }
  if (asked("input")) {
    put_string("ready\n");
    for (;;) semihost(0x07, 0);
  }
  if (asked("sleep")) {
    put_string("ready\n");
    for (;;) __asm__ volatile("cpsid if\n\twfi" : : : "memory");
  }
  start(kBlock, 0, 1u << 28);
  if (asked("read")) {
    read_disk(1021, 0x0e000000);
    put_string("ready\n");
    wait_for_disk();
    put_string("status ");
    put_decimal(status);
    put_string("\n");
    for (;;) {
    }
  }
  read_much();
  put_string("ready\n");
  if (!asked("read-large")) {
    const uint64_t start_ticks = counter();
    while (to_nanoseconds(counter() - start_ticks) < 50000000) {
    }
  }
  if (asked("read-off")) power_off();
  if (asked("read-reset")) {
    *reg(0x70) = 0;
    put_string("was reset\n");
    semihosting_exit(42);
  }
  for (;;) {
    wait_for_disk();
    read_much();
  }
}
