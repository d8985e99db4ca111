/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lz4.h"

#include "base/test_support.h"

#include <lz4frame.h>

/* A frame of data; checksums of both kinds or none. */
static size_t pack(uint8_t *dst, size_t cap, const void *data, size_t len, bool checksums,
                   bool linked) {
  LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
  prefs.frameInfo.blockSizeID = LZ4F_max64KB;
  prefs.frameInfo.blockMode = linked ? LZ4F_blockLinked : LZ4F_blockIndependent;
  prefs.frameInfo.contentChecksumFlag = checksums;
  prefs.frameInfo.blockChecksumFlag = checksums;
  size_t used = LZ4F_compressFrame(dst, cap, data, len, &prefs);
  assert_false(LZ4F_isError(used));
  return used;
}

/* Text that compresses, or noise that does not. */
static uint8_t *material(size_t len, bool noise) {
  uint8_t *data = lb_alloc(LB_MEM_TEST, len > 0 ? len : 1);
  struct lb_random_state random;
  lb_random_seed(&random, 7);
  struct lb_random rnd = lb_random_from(&random);
  for (size_t i = 0; i < len; i++) {
    data[i] =
        noise ? (uint8_t)lb_random_between(&rnd, 0, 255) : (uint8_t)(i / 50 % 90 + 32);
  }
  return data;
}

static void check_round_trip(size_t len, bool noise, bool checksums, bool linked) {
  uint8_t *data = material(len, noise);
  size_t cap = len + len / 100 + 1000;
  uint8_t *packed = lb_alloc(LB_MEM_TEST, cap);
  size_t used = pack(packed, cap, data, len, checksums, linked);
  struct lb_str src = {(const char *)packed, used};
  struct lb_lz4 *lz4;
  struct lb_error err;
  size_t bound;
  size_t raw = 0;
  LB_TEST_OK(lb_lz4_create(&lz4, &err), &err);
  LB_TEST_OK(lb_lz4_measure(src, (size_t)LB_LZ4_MAX_RAW_BYTES, &bound, &err), &err);
  assert_true(bound >= len && bound <= 255 * used);
  if (noise) assert_true(bound <= len + 65536);
  if (len <= 65536) assert_int_equal(bound, len);
  uint8_t *out = lb_alloc(LB_MEM_TEST, bound + 1);
  LB_TEST_OK(lb_lz4_decode(lz4, src, out, bound, &raw, &err), &err);
  assert_int_equal(raw, len);
  if (len > 0) assert_memory_equal(out, data, len);
  lb_free(out);
  lb_lz4_destroy(lz4);
  lb_free(packed);
  lb_free(data);
}

static void test_round_trips(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 100, 65536, 65537, 1000000};
  for (size_t i = 0; i < LB_ARRAY_LEN(sizes); i++) {
    for (int bits = 0; bits < 8; bits++) {
      check_round_trip(sizes[i], bits & 1, bits & 2, bits & 4);
    }
  }
}

static void test_peek(void **state) {
  (void)state;
  uint8_t packed[2000];
  uint8_t out[8];
  for (int noise = 0; noise <= 1; noise++) {
    uint8_t *data = material(500, noise);
    size_t used = pack(packed, sizeof(packed), data, 500, false, false);
    struct lb_str src = {(const char *)packed, used};
    memset(data, 'a', 8); /* what peek sees is in the packed bytes */
    bool seen = lb_lz4_peek(src, out, noise ? 8 : 1);
    assert_true(seen);
    assert_int_equal(out[0], noise ? packed[11] : 32);
    for (size_t len = 0; len < 12; len++) {
      assert_false(lb_lz4_peek((struct lb_str){src.data, len}, out, 8));
    }
    lb_free(data);
  }
  assert_false(lb_lz4_peek((struct lb_str){(const char *)packed, 0}, out, 8));
}

static void test_limit(void **state) {
  (void)state;
  uint8_t *data = material(300000, false);
  uint8_t *packed = lb_alloc(LB_MEM_TEST, 400000);
  uint8_t *out = lb_alloc(LB_MEM_TEST, 300000);
  struct lb_str src = {(const char *)packed,
                       pack(packed, 400000, data, 300000, false, false)};
  struct lb_lz4 *lz4;
  struct lb_error err;
  size_t bound;
  size_t raw = 77;
  LB_TEST_OK(lb_lz4_create(&lz4, &err), &err);
  LB_TEST_OK(lb_lz4_measure(src, 200000, &bound, &err), &err);
  assert_int_equal(bound, 200000);
  LB_TEST_FAILS(LB_PROTOCOL, lb_lz4_decode(lz4, src, out, bound, &raw, &err), &err);
  LB_TEST_CONTAINS(err.message, "more than the limit of 200000 bytes");
  assert_int_equal(raw, 77);
  /* The context can be used again. */
  LB_TEST_OK(lb_lz4_decode(lz4, src, out, 300000, &raw, &err), &err);
  assert_int_equal(raw, 300000);
  lb_lz4_destroy(lz4);
  lb_free(out);
  lb_free(packed);
  lb_free(data);
}

static void check_measure_fails(const void *data, size_t len, const char *words) {
  struct lb_error err;
  size_t bound = 77;
  LB_TEST_FAILS(LB_PROTOCOL,
                lb_lz4_measure((struct lb_str){data, len}, 1000, &bound, &err), &err);
  LB_TEST_CONTAINS(err.message, words);
  assert_int_equal(bound, 77);
}

static void test_malformed(void **state) {
  (void)state;
  uint8_t packed[500];
  size_t used = pack(packed, sizeof(packed) - 100, "hello", 5, true, false);
  for (size_t len = 1; len < used; len++) {
    check_measure_fails(packed, len, "ends inside a frame");
  }
  check_measure_fails("", 0, "is empty");
  memcpy(packed + used, "garbage", 7);
  check_measure_fails(packed, used + 7, "no LZ4 frame begins at offset");
  check_measure_fails(packed, used + 3, "ends inside a frame");
  check_measure_fails("\x04\x22\x4d\x18\x20\x40", 6, "unknown flags");
  check_measure_fails("\x04\x22\x4d\x18\x60\x00", 6, "block size");
  check_measure_fails("\x04\x22\x4d\x18\x60\x40\0\xff\xff\xff\x7f", 11,
                      "its frame allows");
  struct lb_error err;
  size_t bound;
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED,
                lb_lz4_measure(LB_STR("\x04\x22\x4d\x18\x61\x40"), 1000, &bound, &err),
                &err);
}

/* Frames that are to be skipped, as the format says. */
static void test_skippable(void **state) {
  (void)state;
  uint8_t packed[500] = "\x53\x2a\x4d\x18\x03\0\0\0abc";
  size_t used = 11 + pack(packed + 11, 400, "hello", 5, false, false);
  struct lb_str src = {(const char *)packed, used};
  struct lb_lz4 *lz4;
  struct lb_error err;
  size_t bound;
  size_t raw;
  uint8_t out[64];
  LB_TEST_OK(lb_lz4_create(&lz4, &err), &err);
  LB_TEST_OK(lb_lz4_measure(src, 1000, &bound, &err), &err);
  LB_TEST_OK(lb_lz4_decode(lz4, src, out, sizeof(out), &raw, &err), &err);
  assert_int_equal(raw, 5);
  assert_memory_equal(out, "hello", 5);
  lb_lz4_destroy(lz4);
}

/* A wrong checksum is found by decompression, wherever it is. */
static void test_damage(void **state) {
  (void)state;
  uint8_t packed[500];
  size_t used =
      pack(packed, sizeof(packed), "hello hello hello hello hello", 29, true, false);
  struct lb_lz4 *lz4;
  struct lb_error err;
  LB_TEST_OK(lb_lz4_create(&lz4, &err), &err);
  for (size_t i = 4; i < used; i++) {
    uint8_t out[4096];
    size_t raw = 0;
    packed[i] ^= 0x08;
    struct lb_str src = {(const char *)packed, used};
    enum lb_status status = lb_lz4_decode(lz4, src, out, sizeof(out), &raw, &err);
    packed[i] ^= 0x08;
    LB_TEST_FAILS(LB_PROTOCOL, status, &err);
  }
  lb_lz4_destroy(lz4);
}

/* What one call of LZ4F makes of it; SIZE_MAX: refused. */
static size_t reference(const uint8_t *packed, size_t used, uint8_t *out, size_t cap) {
  LZ4F_dctx *context;
  size_t in = used, len = cap;
  assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
  size_t wanted = LZ4F_decompress(context, out, &len, packed, &in, NULL);
  LZ4F_freeDecompressionContext(context);
  return wanted != 0 || in != used ? SIZE_MAX : len;
}

/* Frames of one block have a way of their own, which takes and refuses the same. */
static void test_one_block_as_lz4f_has_it(void **state) {
  (void)state;
  static uint8_t packed[70000], got[70000], wanted[70000];
  struct lb_lz4 *lz4;
  struct lb_error err;
  LB_TEST_OK(lb_lz4_create(&lz4, &err), &err);
  int refused = 0, taken = 0;
  for (int noise = 0; noise <= 1; noise++) {
    uint8_t *data = material(120, noise);
    size_t used = pack(packed, sizeof(packed), data, 120, false, noise);
    for (size_t bit = 0; bit <= 8 * used; bit++) { /* the last one damages nothing */
      if (bit < 8 * used) packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
      size_t raw = SIZE_MAX;
      size_t len = reference(packed, used, wanted, sizeof(wanted));
      struct lb_str src = {(const char *)packed, used};
      enum lb_status status = lb_lz4_decode(lz4, src, got, sizeof(got), &raw, &err);
      assert_int_equal(status == LB_OK, len != SIZE_MAX);
      assert_int_equal(raw, len);
      if (len != SIZE_MAX) assert_memory_equal(got, wanted, len);
      *(status == LB_OK ? &taken : &refused) += 1;
      if (bit < 8 * used) packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    struct lb_str src = {(const char *)packed, used};
    size_t raw = 77;
    LB_TEST_FAILS(LB_PROTOCOL, lb_lz4_decode(lz4, src, got, 119, &raw, &err), &err);
    LB_TEST_CONTAINS(err.message, "more than the limit of 119 bytes");
    lb_free(data);
  }
  assert_true(refused > 100 && taken > 100);
  lb_lz4_destroy(lz4);
}

static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE({
    struct lb_lz4 *lz4 = NULL;
    struct lb_error err = LB_ERROR_INIT;
    LB_TEST_OOM_OR_OK(lb_lz4_create(&lz4, &err), &err);
    lb_lz4_destroy(lz4);
  });
}

LB_TEST_MAIN(LB_TEST(test_round_trips), LB_TEST(test_peek), LB_TEST(test_limit),
             LB_TEST(test_malformed), LB_TEST(test_skippable), LB_TEST(test_damage),
             LB_TEST(test_one_block_as_lz4f_has_it), LB_TEST(test_out_of_memory))
