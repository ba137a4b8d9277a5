// Orders of the bytes of 16, for instruction sets that shuffle by a table: what takes four pixels apart into
// int32 lanes, and what joins them again. -1 makes a byte 0.
#pragma once

#include <cstdint>

namespace convmat {
namespace {

struct ByteOrder {
  int8_t at[16];
};

// Of four pixels of `channels` values of `size` bytes, of which 16 bytes from `skipped` on are there: channel
// c, as far as it is among them.
constexpr ByteOrder channel_order(int size, int channels, int c, int skipped) {
  ByteOrder order{};
  for (int i = 0; i < 16; ++i) {
    const int byte = i % 4, at = (i / 4 * channels + c) * size + byte - skipped;
    order.at[i] = static_cast<int8_t>(byte < size && at >= 0 && at < 16 ? at : -1);
  }
  return order;
}

// The other way: 16 bytes of four pixels from `skipped` on, where they are of the channels first to last,
// which lie one after the other in int32 lanes.
constexpr ByteOrder pixel_order(int size, int channels, int first, int last, int skipped) {
  ByteOrder order{};
  for (int i = 0; i < 16; ++i) {
    const int at = i + skipped, pixel = at / (channels * size), channel = at / size % channels;
    const bool is_here = pixel < 4 && channel >= first && channel <= last;
    order.at[i] = static_cast<int8_t>(is_here ? pixel * 4 + (channel - first) * size + at % size : -1);
  }
  return order;
}

// channel_order of each channel.
struct ChannelOrders {
  ByteOrder of[4];
};
constexpr ChannelOrders channel_orders(int size, int channels, int skipped) {
  ChannelOrders orders{};
  for (int c = 0; c < channels; ++c) orders.of[c] = channel_order(size, channels, c, skipped);
  return orders;
}

}  // namespace
}  // namespace convmat
