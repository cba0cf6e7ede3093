"""Small positive definite systems in a kernel: Gram matrices, their Cholesky factors, and solutions.

Loops over contiguous rows whose sums may be reordered: LLVM makes vectors of them. Only lower triangles are touched.
"""

import numpy as np

from mu_kernels.compile import kernel

ZERO, ONE = np.float32(0), np.float32(1)  # Python's numbers would make float64 of sums


@kernel(reordered_sums=True)
def gram(rows, out):
    """Adds rows[i] . rows[j] to out[i, j] for j <= i."""
    n, width = rows.shape
    for i in range(n):
        a = rows[i]
        j = 0
        while j + 4 <= i + 1:
            b0, b1, b2, b3 = rows[j], rows[j + 1], rows[j + 2], rows[j + 3]
            s0 = s1 = s2 = s3 = ZERO
            for k in range(width):
                s0 += a[k] * b0[k]
                s1 += a[k] * b1[k]
                s2 += a[k] * b2[k]
                s3 += a[k] * b3[k]
            out[i, j] += s0
            out[i, j + 1] += s1
            out[i, j + 2] += s2
            out[i, j + 3] += s3
            j += 4
        while j <= i:
            b = rows[j]
            s = ZERO
            for k in range(width):
                s += a[k] * b[k]
            out[i, j] += s
            j += 1


@kernel
def unit_matrix(out, n):
    """Sets the lower triangle of out[:n, :n] to that of the unit matrix."""
    for i in range(n):
        out[i, :i] = ZERO
        out[i, i] = ONE


@kernel(reordered_sums=True)
def factorise(matrix, n):
    """Replaces the lower triangle of matrix[:n, :n] by L, matrix = L L'; False where it is not positive definite."""
    for first in range(0, n, 4):
        stop = min(first + 4, n)
        if stop - first == 4:
            r0, r1, r2, r3 = matrix[first], matrix[first + 1], matrix[first + 2], matrix[first + 3]
            for j in range(first):
                b = matrix[j]
                s0 = s1 = s2 = s3 = ZERO
                for k in range(j):
                    s0 += r0[k] * b[k]
                    s1 += r1[k] * b[k]
                    s2 += r2[k] * b[k]
                    s3 += r3[k] * b[k]
                inverse = ONE / b[j]
                r0[j] = (r0[j] - s0) * inverse
                r1[j] = (r1[j] - s1) * inverse
                r2[j] = (r2[j] - s2) * inverse
                r3[j] = (r3[j] - s3) * inverse
        for i in range(first, stop):
            row = matrix[i]
            for j in range(first if stop - first == 4 else 0, i):
                b = matrix[j]
                s = ZERO
                for k in range(j):
                    s += row[k] * b[k]
                row[j] = (row[j] - s) / b[j]
            s = ZERO
            for k in range(i):
                s += row[k] * row[k]
            left = row[i] - s
            if not 0 < left < np.inf:
                return False
            row[i] = np.sqrt(left)
    return True


@kernel(reordered_sums=True)
def solve_factorised(matrix, n, x):
    """Replaces x[:n] by the solution of L L' y = x."""
    for i in range(n):
        row = matrix[i]
        s = ZERO
        for k in range(i):
            s += row[k] * x[k]
        x[i] = (x[i] - s) / row[i]
    for i in range(n - 1, -1, -1):
        row = matrix[i]
        x[i] /= row[i]
        value = x[i]
        for k in range(i):
            x[k] -= value * row[k]
