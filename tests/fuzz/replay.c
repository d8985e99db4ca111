/* SPDX-License-Identifier: Apache-2.0 */
/* A plain main for the fuzzers: gives each file that is named, or that lies in a folder
 * that is named, to the fuzzer; then inputs made from it, cut short or with single bits
 * changed, the same ones each time. A sanitizer's report or a trap ends it. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX_BYTES (1024 * 1024)
#define NAME_BYTES 4096
#define VARIANTS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long inputs;

/* A copy that ends where its allocation ends: sanitizers see reads beyond it. */
static void run(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size > 0 ? size : 1);
  if (copy == NULL) exit(2);
  if (size > 0) memcpy(copy, data, size);
  (void)LLVMFuzzerTestOneInput(copy, size);
  free(copy);
  inputs++;
}

static void run_variants(uint8_t *data, size_t size) {
  uint32_t chance = 1;
  run(data, size);
  for (int i = 0; i < VARIANTS && size > 0; i++) {
    chance = chance * 1664525u + 1013904223u;
    size_t at = (chance >> 8) % size;
    uint8_t old = data[at];
    run(data, at);
    data[at] = (uint8_t)(old ^ (1u << (chance >> 5 & 7u)));
    run(data, size);
    data[at] = old;
  }
}

static int run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 1;
  uint8_t *data = malloc(INPUT_MAX_BYTES);
  if (data == NULL) exit(2);
  size_t size = fread(data, 1, INPUT_MAX_BYTES, file);
  fclose(file);
  run_variants(data, size);
  free(data);
  return 0;
}

static int run_path(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) return run_file(path);
  int bad = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char inside[NAME_BYTES];
    int len = snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
    bool fits = len > 0 && (size_t)len < sizeof(inside);
    if (entry->d_name[0] != '.' && fits) bad += run_file(inside);
  }
  closedir(folder);
  return bad;
}

int main(int argc, char **argv) {
  int bad = 0;
  for (int i = 1; i < argc; i++) bad += run_path(argv[i]);
  printf("%ld inputs\n", inputs);
  return bad == 0 && inputs > 0 ? 0 : 1;
}
