nearshelf_test(unit/test_row.c LABEL unit DEPS table)
nearshelf_test(unit/test_network.c LABEL unit DEPS table)
nearshelf_test(unit/test_effect.c LABEL unit DEPS table)
nearshelf_test(model/test_tables.c LABEL model TIMEOUT 60 DEPS table)
