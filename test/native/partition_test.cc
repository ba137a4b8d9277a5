// A product is shared out whole, and no part of it twice.
#include "product/partition.h"

#include <vector>

#include "reference.h"
#include "support.h"

namespace convmat::test {
namespace {

template <typename T>
void check(const KernelTable& table, const ConvPlan& plan, int64_t rows, int64_t images) {
  const Kernels<T>& kernels = table.of<T>();
  const LoweredProduct<T> product{
      kernels, lower_forward(plan), RowPanels(rows, kernels.gemm_blocking.mr), nullptr, nullptr, 0, 0};
  const Partition partition(product, images);
  const int64_t columns = product.lowering.outputs(), panels = product.panels.count;
  std::vector<int> times(static_cast<size_t>(images * columns * panels));
  for (int64_t i = 0; i < partition.count(); ++i) {
    const Partition::Task task = partition[i];
    ASSERT_TRUE(task.image >= 0 && task.image < images && task.column >= 0 && task.panel >= 0);
    ASSERT_TRUE(task.column_end <= columns && task.panel_end <= panels);
    // Whole panels of B, but for the last.
    EXPECT_EQ(task.column % product.panel_columns(), 0);
    EXPECT_TRUE(task.column_end == columns || task.column_end % product.panel_columns() == 0);
    EXPECT_LE(task.column_end - task.column, partition.chunk_columns());
    EXPECT_LE(task.panel_end - task.panel, partition.chunk_panels());
    for (int64_t column = task.column; column < task.column_end; ++column) {
      for (int64_t panel = task.panel; panel < task.panel_end; ++panel) {
        ++times[(task.image * columns + column) * panels + panel];
      }
    }
  }
  for (const int count : times) ASSERT_EQ(count, 1);
}

class PartitionTest : public EachIsa {
  void TearDown() override { ThreadPool::shared().set_threads(before_); }
  const int before_ = ThreadPool::shared().threads();
};
TEST_P(PartitionTest, EachElementIsInOneTask) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool::shared().set_threads(threads);
    for (const AxisCase& width : {AxisCase{1, 1}, {7, 3}, {33, 1}, {97, 5, 2}, {1000, 3}}) {
      for (const AxisCase& height : {AxisCase{1, 1}, {9, 3, 2, 1, 1, 1}, {57, 1}}) {
        const ConvPlan plan =
            plan_of({"", 1, 1, 64, 1, {{1, 1}, height, width}}, ConvOp::forward, DType::f32);
        for (const int64_t rows : {1, 5, 16, 129}) {
          for (const int64_t images : {1, 3}) {
            check<float>(kernels(), plan, rows, images);
            check<double>(kernels(), plan, rows, images);
          }
        }
      }
    }
  }
}
CONVMAT_ON_EACH_ISA(PartitionTest);

TEST(RowPanels, AreOfNearlyOneHeight) {
  for (const int most : {1, 4, 6, 14}) {
    for (int64_t rows = 1; rows < 60; ++rows) {
      const RowPanels panels(rows, most);
      int64_t next = 0;
      for (int64_t p = 0; p < panels.count; ++p) {
        EXPECT_EQ(panels.first(p), next);
        const int height = panels.height_of(p);
        EXPECT_TRUE(height >= 1 && height <= most) << rows << " rows by " << most;
        next += height;
      }
      EXPECT_EQ(next, rows);
    }
  }
}

}  // namespace
}  // namespace convmat::test
