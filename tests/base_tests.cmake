nearshelf_test(unit/test_base.c LABEL unit DEPS base)
