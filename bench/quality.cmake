# bench_quality: how good the decisions are. The load generator's draws are compiled here with
# their names changed where the engine's tables have the same.
add_library(quality_draw STATIC quality_draw.c)
target_sources(quality_draw PRIVATE
  ../loadgen/alias_draw.c ../loadgen/load_network.c ../loadgen/stock_model.c ../loadgen/workload.c
  ../loadgen/baskets.c ../loadgen/id_index.c ../loadgen/zip3.c)
target_include_directories(quality_draw PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} PRIVATE ../loadgen)
target_compile_definitions(quality_draw PRIVATE
  network_init=load_network_init network_close=load_network_close)
target_link_libraries(quality_draw PRIVATE nearshelf_flags base wire m)
nearshelf_bench(quality DEPS test_world quality_draw PkgConfig::JANSSON)
target_sources(bench_quality PRIVATE quality_gap.c)
