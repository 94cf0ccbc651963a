def fits(cells, weights):
    return False
